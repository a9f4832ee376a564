"""`KEY_file` instead of `KEY`: secrets that stand in files of their own, as systemd's credentials do."""

from ami_planfix.config.problems import KeyPath
from ami_planfix.config.schema import is_secret, section_at, section_of
from ami_planfix.config.section import Section
from ami_planfix.config.source import Source, Value

LARGEST = 4096
"""Bytes of a secret."""


def fill_in_section(name: str, tree: Value, source: Source, wanted: bool = True) -> Value:
    """Put the text of each secret's file in the place of its `KEY_file`; complain in the source.

    Unless they are wanted, secrets are left out, and their files are not read.
    """
    section = section_at((name,))
    return _fill_in(section, tree, (name,), source, wanted) if section else tree


def _fill_in(section: type[Section], tree: Value, key: KeyPath, source: Source, wanted: bool) -> Value:
    if isinstance(tree, list):
        return [_fill_in(section, item, (*key, index), source, wanted) for index, item in enumerate(tree)]
    if not isinstance(tree, dict):
        return tree
    filled = dict(tree)
    for name, field in section.model_fields.items():
        inner = section_of(field.annotation)
        if inner is not None and name in filled:
            filled[name] = _fill_in(inner, filled[name], (*key, name), source, wanted)
        elif not is_secret(field):
            continue
        elif not wanted:
            filled.pop(name, None)
            filled.pop(f"{name}_file", None)
        elif f"{name}_file" in filled:
            path = filled.pop(f"{name}_file")
            file_key = (*key, f"{name}_file")
            if name in filled:
                source.problems.append(source.problem(file_key, f"is given beside {name}", "one of both"))
            else:
                source.spots[(*key, name)] = source.spots[file_key]
                filled[name] = _text(path, file_key, source)
    return filled


def _text(path: Value, key: KeyPath, source: Source) -> str:
    """Read a secret; if that is not possible, complain, and tell one that nobody else will complain of."""
    wrong, allowed = "", "a file with the secret in one line"
    if not isinstance(path, str) or not path or "\0" in path:
        wrong = "is no path"
    else:
        try:
            with (source.folder / path).open("rb") as file:
                data = file.read(LARGEST + 1)
            text = data.decode("utf-8-sig").strip("\r\n")
        except OSError as fault:
            wrong, allowed = f"the file cannot be read: {fault.strerror}", ""
        except UnicodeDecodeError:
            wrong = "the file is no text"
        else:
            if text and len(data) <= LARGEST and text.isprintable():
                return text
            wrong = "the file is empty" if not text else "the file has more than a secret in it"
    source.problems.append(source.problem(key, wrong, allowed))
    return "x" * 32
