"""Repairs what Streamlit draws for people who use a screen reader, or see little contrast."""

from __future__ import annotations

import streamlit as st

__all__ = ["repair_page"]

_REPAIRS = """
<style>
[data-testid="stCode"] .token { color: inherit !important; }
[data-testid="stButtonGroup"] button[data-selected="true"] * { color: CanvasText !important; }
</style>
<script>
function repairMenu() {
  for (const list of document.querySelectorAll('[data-testid="stSidebarNavItems"]:not([role])'))
    list.setAttribute("role", "none");
  for (const item of document.querySelectorAll('[data-testid="stSidebarNavItems"] li:not([role])'))
    item.setAttribute("role", "none");
}
repairMenu();
if (!window.menuRepairs) {
  window.menuRepairs = new MutationObserver(repairMenu);
  window.menuRepairs.observe(document.body, { childList: true, subtree: true });
}
</script>
"""
"""The colours of highlighted code are too light, and the selected one of several buttons is too dark.
The lists of the menu contain what lists cannot have, so the menu becomes plain links in a navigation landmark, again
whenever it is drawn, as on a phone that opens it."""


def repair_page() -> None:
    """Add the repairs to a page."""
    st.sidebar.html(_REPAIRS, unsafe_allow_javascript=True)
