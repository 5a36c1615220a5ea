"""The dashboard: what the store has, as pages. It reads the store and calls analysis, figures and studies."""
