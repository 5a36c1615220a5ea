from .conversation import QUESTION, Prompt, Turn, chat, chat_prompt
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
    "chat_prompt",
    "draw_question",
    "single_question",
    "write_box",
]
