"""The table of rules in docs/quality.md: `python -m spark.quality.document` writes it anew."""

from pitlane.settings import REPOSITORY
from spark.quality.rules import RULES, Rule

PAGE = REPOSITORY / "docs" / "quality.md"
BEGIN, END = "<!-- rules: generated -->\n", "<!-- /rules -->"


def table() -> str:
    lines = ["| rule | asks | kind | effect | what is wrong | why it matters |", "|---|---|---|---|---|---|"]
    return "\n".join([*lines, *map(_line, RULES.values())]) + "\n"


def _line(rule: Rule) -> str:
    asks = f"`{rule.packet}`" + (f", each of `{rule.of}`" if rule.of else "")
    return f"| `{rule.slug}` | {asks} | {rule.kind} | {rule.effect} | {rule.wrong} | {rule.why} |"


def write() -> None:
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    PAGE.write_text(before + BEGIN + table() + END + rest.partition(END)[2], "utf-8")


if __name__ == "__main__":
    write()
