from __future__ import annotations

import re

from streamlit.testing.v1 import AppTest

from lcl_lab.dashboard.escape import escape_markdown
from tests.dashboard.factories import statements


def page() -> None:
    from lcl_lab.dashboard.escape import show_statements
    from lcl_lab.reporting import Statement

    hostile = "<script>x</script> `<i>` ![i](http://evil.example/x.png) [l](http://evil.example) a_b_c"
    show_statements([Statement("{model}, {metric}: {text}", {"text": hostile}, "candidate", "mini/2-way")])


def test_only_bold_text_and_code_of_a_statement_are_markup() -> None:
    app = AppTest.from_function(page).run()
    body = app.get("html")[0].proto.body
    assert body.startswith('<ul><li data-metric="candidate"><strong>mini/2-way</strong>, candidate: &lt;script&gt;')
    assert "<code>&lt;i&gt;</code>" in body
    assert "<a" not in body and "<img" not in body
    assert statements(app)[0][1].endswith("[l](http://evil.example) a_b_c")


def test_markdown_is_escaped() -> None:
    assert escape_markdown("**b** [l](x)") == r"\*\*b\*\* \[l\]\(x\)"


def test_no_address_becomes_a_link_and_no_name_an_icon() -> None:
    for text in ("see http://evil.example", "WWW.evil.example", "mailto me@evil.example", "a :material/home: b"):
        escaped = re.sub(r"\\(.)", r"\1", escape_markdown(text))
        assert not re.search(r"https?://|www\.|@\w|:material", escaped, re.IGNORECASE)
        assert escaped.replace("\u2060", "") == text
