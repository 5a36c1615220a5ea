"""Entry points of the dashboard in a checkout, and the results that come with LCL Lab."""
