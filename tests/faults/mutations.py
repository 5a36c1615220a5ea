"""Strategies of hypothesis for damaged files."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

__all__ = ["Mutation", "mutations"]

Mutation = Callable[[bytes], bytes]
_TOKENS = (
    b"null",
    b"NaN",
    b"1e999",
    b'"\\ud800"',
    b"[]",
    b"{}",
    b"-1",
    b'""',
    b"[" * 2000,
    b"\xff\xfe",
    b"\0",
    b"\n",
    b"true",
)


def _flip(share: float, mask: int) -> Mutation:
    def mutate(content: bytes) -> bytes:
        changed = bytearray(content)
        if changed:
            changed[int(share * (len(changed) - 1))] ^= mask
        return bytes(changed)

    return mutate


def _insert(share: float, token: bytes) -> Mutation:
    return lambda content: content[: int(share * len(content))] + token + content[int(share * len(content)) :]


def _replace_value(share: float, token: bytes) -> Mutation:
    """Replace what stands after one of the colons of a JSON text."""

    def mutate(content: bytes) -> bytes:
        parts = content.split(b": ")
        if len(parts) < 2:
            return content
        number = 1 + int(share * (len(parts) - 2))
        end = min((i for i in (parts[number].find(mark) for mark in (b",", b"\n", b"}")) if i >= 0), default=0)
        parts[number] = token + parts[number][end:]
        return b": ".join(parts)

    return mutate


def _cut(first: float, second: float) -> Mutation:
    def mutate(content: bytes) -> bytes:
        start, end = sorted(int(share * len(content)) for share in (first, second))
        return content[:start] + content[end:]

    return mutate


def mutations() -> st.SearchStrategy[list[Mutation]]:
    """One to three changes of the bytes of a file."""
    share = st.floats(0, 1)
    change = st.one_of(
        st.builds(_flip, share, st.integers(1, 255)),
        st.builds(_insert, share, st.sampled_from(_TOKENS) | st.binary(max_size=8)),
        st.builds(_replace_value, share, st.sampled_from(_TOKENS)),
        st.builds(_cut, share, share),
    )
    return st.lists(change, min_size=1, max_size=3)
