"""Studies: one module a question, each runnable with `python -m lcl_lab.studies.NAME`.

Modules that begin with an underscore are what all studies share.
"""
