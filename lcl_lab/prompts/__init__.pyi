from .conversation import QUESTION, Prompt, Turn, chat
from .mini_vqa import ASK, CAPTION, KINDS, WHERE, MiniQuestion, draw_question, single_question, write_box

__all__ = [
    "ASK",
    "CAPTION",
    "KINDS",
    "QUESTION",
    "WHERE",
    "MiniQuestion",
    "Prompt",
    "Turn",
    "chat",
    "draw_question",
    "single_question",
    "write_box",
]
