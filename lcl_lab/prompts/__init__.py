"""Prompts: how an episode reads to a model, as turns of a chat. Never imports torch."""

from lcl_lab.prompts.chat import QUESTION, Prompt, Turn, chat
from lcl_lab.prompts.mini_vqa import ASK, CAPTION, KINDS, WHERE, Question, ask, draw_question, write_box

__all__ = [
    "ASK",
    "CAPTION",
    "KINDS",
    "QUESTION",
    "WHERE",
    "Prompt",
    "Question",
    "Turn",
    "ask",
    "chat",
    "draw_question",
    "write_box",
]
