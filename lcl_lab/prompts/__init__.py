"""Prompts: how an episode reads to a model, as turns of a chat. Never imports torch."""

from lcl_lab.prompts.chat import QUESTION, Prompt, Turn, chat

__all__ = ["QUESTION", "Prompt", "Turn", "chat"]
