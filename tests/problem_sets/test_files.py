"""Data files of every kind, as other programs write them."""

import csv
import gzip
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from epf.core.errors import InvalidRequest
from epf.problem_sets.files import is_data_file, read_rows

ROWS: list[dict[str, Any]] = [
    {"problem": 'one, "two"\nthree?', "answer": "1"},
    {"problem": "größer?\u2028😀", "answer": "2,5"},
]


def lines(path: Path) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\r\n" for row in ROWS), encoding="utf-8", newline="")


def lines_with_a_mark(path: Path) -> None:
    path.write_text("\n".join(map(json.dumps, ROWS)), encoding="utf-8-sig")


def array(path: Path) -> None:
    path.write_text(json.dumps(ROWS, indent=2), encoding="utf-8-sig")


def array_in_an_object(path: Path) -> None:
    path.write_text(json.dumps({"version": 1, "tags": ["a"], "examples": ROWS}), encoding="utf-8")


def table(delimiter: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.DictWriter(file, ["problem", "answer"], delimiter=delimiter)
            writer.writeheader()
            writer.writerows(ROWS)

    return write


def parquet(path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.parquet").write_table(pyarrow.Table.from_pylist(ROWS), path)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.jsonl", lines),
        ("a.JSONL", lines_with_a_mark),
        ("a.json", lines),
        ("a.json", array),
        ("a.json", array_in_an_object),
        ("a.csv", table(",")),
        ("a.csv", table(";")),
        ("a.csv", table("\t")),
        ("a.tsv", table("\t")),
        ("a.parquet", parquet),
    ],
)
@pytest.mark.parametrize("compressed", [False, True])
def test_the_same_rows_are_read_from_every_kind(
    name: str, write: Callable[[Path], None], compressed: bool, tmp_path: Path
) -> None:
    path = tmp_path / name
    write(path)
    if compressed:
        path = path.with_name(f"{name}.gz")
        path.write_bytes(gzip.compress((tmp_path / name).read_bytes()))
    assert is_data_file(path.name)
    assert [tuple(row) for row in read_rows(path)] == [(1, ROWS[0]), (2, ROWS[1])]


def test_a_number_keeps_its_spelling_and_an_empty_cell_is_null(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"answer": 0.00001}\n\n{"answer": 12.50}\n{"answer": 7}', encoding="utf-8")
    assert [(row.number, row.values["answer"]) for row in read_rows(tmp_path / "a.jsonl")] == [
        (1, Decimal("0.00001")),
        (3, Decimal("12.50")),
        (4, 7),
    ]
    (tmp_path / "a.csv").write_text("problem, answer\n\na?,\nb?,0.00001\n", encoding="utf-8")
    assert [tuple(row) for row in read_rows(tmp_path / "a.csv")] == [
        (1, {"problem": "a?", "answer": None}),
        (2, {"problem": "b?", "answer": "0.00001"}),
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"a": 1}\n[]', "Row 2 of .* must be a JSON object"),
        ("a.jsonl", b'{"a": 1}\n{"a"', "Row 2 of .* is not valid JSON"),
        ("a.jsonl", b"[" * 100_000, "Row 1 of .* is not valid JSON"),
        ("a.jsonl", b'{"a": ' + b"1" * 5000 + b"}", "Row 1 of .* is not valid JSON"),
        ("a.jsonl", "größer".encode("latin-1"), "is not UTF-8 text"),
        ("a.jsonl", "a".encode("utf-16"), "is not UTF-8 text"),
        ("a.json", b'[{"a": 1}, 2]', "Row 2 of .* must be a JSON object"),
        ("a.json", b'[{"a": 1}', "Row 1 of .* is not valid JSON"),
        ("a.json", b"3", "Row 1 of .* must be a JSON object"),
        ("a.csv", b"a,b\n1,2\n1,2,3\n", "Row 2 of .* has 3 cells, but the header has 2"),
        ("a.csv", b"a,b\n1\n", "Row 1 of .* has 1 cells, but the header has 2"),
        ("a.csv", b"a,a\n1,2\n", "has two columns 'a'"),
        ("a.csv", b'a,b\n1,"2"x\n', "Row 1 of .* is not valid CSV"),
        ("a.csv", b'a,b\n1,"2', "Row 1 of .* is not valid CSV"),
        ("a.csv.gz", b"a,b", "is not a complete gzip file"),
        ("a.csv.gz", gzip.compress(b"a,b" * 99, mtime=0)[:-9], "is not a complete gzip file"),
        ("a.parquet", b"PAR1", "is not a Parquet file"),
        (".jsonl", None, "Cannot read .*: Is a directory"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(name: str, content: bytes | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(InvalidRequest, match=message) as refused:
        list(read_rows(path))
    assert "\n" not in refused.value.message


def test_other_names_are_no_data_files() -> None:
    assert not any(map(is_data_file, ("gsm8k", "a.txt", "a.gz", "jsonl", "a.jsonl.zip")))
