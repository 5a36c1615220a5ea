"""The strategies of the package, one file each; the registry collects `STRATEGIES` of every module in this folder."""
