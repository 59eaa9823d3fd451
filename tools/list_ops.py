#!/usr/bin/env python3
"""The table of ops in docs/ops.md, from the descriptors under src/nn/ops.

    tools/list_ops.py           writes the table anew
    tools/list_ops.py --check   fails if it is not what the descriptors say
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "ops.md"
BEGIN, END = "| op | inputs | attributes | what it gives |\n|---|---|---|---|\n", "\n<!-- end -->\n"


def row(path):
    text = path.read_text()
    at = text.index(f"nn_op_def assay_op_{path.stem} =")
    body = text[at:]
    if f'.name = "{path.stem}"' not in body:
        sys.exit(f"{path.name}: the descriptor's name is another one")
    summary = "".join(re.findall(r'"([^"]*)"', re.search(r"\.summary =((?:\s*\"[^\"]*\")+)", body)[1]))
    inputs = re.search(r"\.min_inputs = (\w+),\s*\.max_inputs = (\w+)", body)
    family = re.search(r"\b(UNARY|BINARY|RELATION|REDUCE|GATHER|SCATTER)_OP\b", body)
    if inputs:
        low, high = (16 if n == "NN_MAX_INPUTS" else int(n) for n in inputs.groups())
        count = str(low) if low == high else f"{low} to {high}"
    elif family:
        count = {"UNARY": "1", "REDUCE": "1", "SCATTER": "3"}.get(family[1], "2")
    else:
        count = ""
    names = re.search(r"\.attrs = (\w+)", body) or (family and family[1] == "REDUCE" and [0, "reduce_attrs"])
    attrs = ""
    if names:
        for source in [path, *sorted((ROOT / "src/nn").glob("*.c"))]:
            found = re.search(rf"\b{names[1]}\[\] = {{([^}}]*)}}", source.read_text())
            if found:
                attrs = ", ".join(f"`{a}`" for a in re.findall(r'"([^"]*)"', found[1]))
                break
    return f"| `{path.stem}` | {count} | {attrs} | {summary} |\n"


def main():
    table = "".join(row(p) for p in sorted((ROOT / "src/nn/ops").glob("*.c")))
    page = PAGE.read_text()
    begin, end = page.index(BEGIN) + len(BEGIN), page.index(END)
    new = page[:begin] + table + page[end:]
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(new)
    elif new != page:
        sys.exit("docs/ops.md is not what the ops say: run tools/list_ops.py")


if __name__ == "__main__":
    main()
