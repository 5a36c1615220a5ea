from __future__ import annotations

from typing import Any

import pytest

from lcl_lab.concepts import ImageRef
from lcl_lab.prompts import Prompt, Turn
from lcl_lab.training.instruction_rows import STORED, TASK_IMAGES, RowError, read_conversation
from tests.training.instruction_data import llava


def image(path: str) -> ImageRef:
    return ImageRef(TASK_IMAGES, path, 0)


def prompts(row: object, number: int = 0) -> list[Prompt]:
    """The prompts that a row can become."""
    conversation = read_conversation(row, number)
    return [conversation.prompt(answer) for answer in conversation.answers]


def test_a_row_of_llava_becomes_one_prompt_for_each_answer() -> None:
    row = {
        "id": "000000033471",
        "image": "coco/train2017/000000033471.jpg",
        "conversations": [
            {"from": "human", "value": "<image>\nWhat are the colors of the bus in the image?"},
            {"from": "gpt", "value": "The bus in the image is white and red."},
            {"from": "human", "value": "What feature can be seen on the back of the bus?"},
            {"from": "gpt", "value": "The back of the bus features an advertisement."},
        ],
    }
    first = Turn("user", (image("coco/train2017/000000033471.jpg"), "What are the colors of the bus in the image?"))
    answers = ("The bus in the image is white and red.", "The back of the bus features an advertisement.")
    second = Turn("user", ("What feature can be seen on the back of the bus?",))
    assert prompts(row) == [
        Prompt((first,), answers[:1]),
        Prompt((first, Turn("assistant", answers[:1]), second), answers[1:]),
    ]


def test_images_stand_where_their_placeholders_are() -> None:
    row = llava("Is <image> like\n<image>", "no", "and\n<image>\n?", "yes", image=["a.jpg", "b.jpg", "c.jpg"])
    first = Turn("user", ("Is", image("a.jpg"), "like", image("b.jpg")))
    assert prompts(row) == [
        Prompt((first,), ("no",)),
        Prompt((first, Turn("assistant", ("no",)), Turn("user", ("and", image("c.jpg"), "?"))), ("yes",)),
    ]


def test_text_without_images_and_boxes_of_shikra_stay_as_they_are() -> None:
    row = llava(" Where is it?\n", " It is at [0.100,0.200,0.300,0.400]. ", system="Answer briefly.")
    turns = (Turn("system", ("Answer briefly.",)), Turn("user", (" Where is it?\n",)))
    assert prompts(row) == [Prompt(turns, (" It is at [0.100,0.200,0.300,0.400]. ",))]


def test_turns_without_a_partner_are_skipped_as_in_training_of_llava() -> None:
    row = llava("q", "a", "unanswered")
    row["conversations"].insert(0, {"from": "gpt", "value": "in front"})
    assert prompts(row) == [Prompt((Turn("user", ("q",)),), ("a",))]


def test_an_empty_answer_is_no_candidate() -> None:
    turns = (Turn("user", ("q",)), Turn("assistant", (" ",)), Turn("user", ("r",)))
    assert prompts(llava("q", " ", "r", "b", "s", "")) == [Prompt(turns, ("b",))]


MESSAGES: dict[str, dict[str, Any]] = {
    "text": {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "<image>What is it?"},
            {"role": "assistant", "content": "a cat"},
        ],
        "images": ["cat.jpg"],
    },
    "parts": {
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": "Be brief."}]},
            {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is it?"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "a "}, {"type": "text", "text": "cat"}]},
        ],
        "images": [{"path": "cat.jpg", "bytes": None}],
    },
    "own image": {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [{"type": "image", "image": "cat.jpg"}, {"type": "text", "text": "What is it?"}],
            },
            {"role": "assistant", "content": "a cat"},
        ],
    },
    "index": {
        "messages": [
            {"role": "system", "content": [{"index": None, "text": "Be brief.", "type": "text"}]},
            {
                "role": "user",
                "content": [
                    {"index": 1, "text": None, "type": "image"},
                    {"index": None, "text": "\nWhat is it?", "type": "text"},
                ],
            },
            {"role": "assistant", "content": [{"index": None, "text": "a cat", "type": "text"}]},
        ],
        "images": ["dog.jpg", "cat.jpg"],
    },
    "sharegpt": {
        "conversations": [
            {"from": "system", "value": "Be brief."},
            {"from": "human", "value": "<image>\nWhat is it?"},
            {"from": "gpt", "value": "a cat"},
        ],
        "images": "cat.jpg",
    },
}


@pytest.mark.parametrize("row", MESSAGES.values(), ids=MESSAGES)
def test_messages_of_every_style_are_the_same_prompt(row: dict[str, Any]) -> None:
    question = Turn("user", (image("cat.jpg"), "What is it?"))
    assert prompts(row) == [Prompt((Turn("system", ("Be brief.",)), question), ("a cat",))]


def test_images_that_are_stored_with_a_row_are_known_by_its_number() -> None:
    (prompt,) = prompts({**llava("<image><image>", "a"), "images": [STORED, STORED]}, number=7)
    assert prompt.images == (ImageRef(TASK_IMAGES, "7", 1), ImageRef(TASK_IMAGES, "7", 2))


def test_half_a_surrogate_pair_is_replaced() -> None:
    assert prompts(llava("q \ud83d", "é \U0001f600")) == [Prompt((Turn("user", ("q \ufffd",)),), ("é \U0001f600",))]


def turns(*pairs: tuple[Any, Any], **fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": content} for role, content in pairs], **fields}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([], "is a list; expected an object with conversations or messages"),
        ("text", "is text; expected an object"),
        (None, "is missing; expected an object"),
        ({}, "has no conversations or messages; expected a list of turns"),
        ({"conversations": []}, "has no conversations or messages"),
        ({"conversations": "text"}, "has no conversations or messages"),
        ({"conversations": ["text"]}, "turn 1 is text; expected an object with from and value, or role and content"),
        (
            turns(("tool", "a")),
            "turn 1 has the unknown role 'tool'; expected one of human, user, gpt, assistant, system",
        ),
        (turns((None, "a")), "turn 1 has the unknown role None"),
        (turns(("user", None)), "the content of turn 1 is missing; expected text or a list of parts"),
        (turns(("user", 3)), "the content of turn 1 is a number"),
        (turns(("user", [{"type": "video"}])), "turn 1 has a part of type 'video'; expected text, with text, or image"),
        (turns(("user", [{"type": "text"}])), "turn 1 has a part of type 'text'; expected text, with text, or image"),
        (turns(("user", ["a"])), "turn 1 has a part of type 'a'"),
        (turns(("user", "q")), "has no answer; expected a turn of gpt or assistant with text, after one of human"),
        (turns(("assistant", "a")), "has no answer"),
        (turns(("user", "q"), ("assistant", " ")), "has no answer"),
        (turns(("user", "q"), ("user", "q"), ("assistant", "a")), "turn 2 is of the user again; expected user and"),
        (turns(("user", "q"), ("system", "s"), ("assistant", "a")), "turn 2 is of the system; expected it in front"),
        (turns(("user", "q"), ("assistant", "<image>"), image="a"), "turn 2 of the assistant has <image>; expected"),
        (llava("<image>", "a"), "has 0 images, but 1 of <image>; expected one for each image"),
        (llava("q", "a", image="a.jpg"), "has 1 image, but 0 of <image>; expected one for each image"),
        (llava("<image> <image>", "a", image="a.jpg"), "has 1 image, but 2 of <image>"),
        ({**llava("<image>", "a"), "image": ""}, "image 1 is text; expected the path of a file"),
        ({**llava("<image>", "a"), "image": [1]}, "image 1 is a number; expected the path of a file"),
        ({**llava("<image>", "a"), "images": [{"bytes": ""}]}, "image 1 is an object; expected the path of a file"),
        (turns(("user", [{"type": "image", "image": {}}])), "the image of turn 1 is an object; expected the path"),
        (turns(("user", [{"type": "image", "index": 1}]), images=["a"]), "refers to image 1 of 1; expected an index"),
    ],
)
def test_a_row_that_is_no_conversation_is_reported(row: object, message: str) -> None:
    with pytest.raises(RowError) as error:
        read_conversation(row, 0)
    assert str(error.value).startswith(message)
