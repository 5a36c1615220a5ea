"""LCL Lab: does a multimodal model follow the link from support to query?

Data flows one way: concepts → episodes → prompts → models → store → analysis → figures; strategies
train models on episodes, studies wire the rest together.

Shape letters used in every docstring: B batch, K shots (support images of an episode), Q queries,
T tokens, P patches (vision tokens of an image), I image tokens that the decoder sees, D width,
N records, G clusters (concept pairs), S seeds, H and W image height and width in pixels. Inside a
decoder: R different prefixes that the rows of a batch follow, L tokens of a prefix, U tokens that a row
has read since, A heads of queries, C heads of keys and values, E width of a head, V vocabulary.
"""
