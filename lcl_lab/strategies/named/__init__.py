"""The strategies by name, one file each; `STRATEGIES` of every module here is found by the registry."""
