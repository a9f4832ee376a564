"""docs/admin/doctor.md, written from the faults: `python -m ami_planfix.doctor.reference docs/admin/doctor.md`."""

import re
import sys
from pathlib import Path

from ami_planfix.doctor.checkup import FAULTS
from ami_planfix.doctor.finding import Sign

HEADING = "## Everything that it knows"
_SIGNS = {Sign.FAILED: "FAIL", Sign.WARNING: "warn"}


def reference() -> str:
    """Write all faults as tables, one for each area."""
    parts = [HEADING]
    for area, faults in FAULTS.items():
        lines = [f"### {area[0].upper()}{area[1:]}", "", "| line | sign | means | do |", "|---|---|---|---|"]
        lines += [
            f"| {fault.what} | {_SIGNS[fault.sign]} | {_cell(fault.means)} | {_cell(fault.remedy)} |"
            for fault in faults
        ]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _cell(text: str) -> str:
    """Write what only the moment knows in capitals, as the manuals do."""
    shown = re.sub(r"(?<!\{)\{(\w+)\}(?!\})", lambda found: found[1].upper(), text)
    return shown.replace("{{", "{").replace("}}", "}").replace("|", "\\|")


if __name__ == "__main__":
    file = Path(sys.argv[1])
    before = file.read_text(encoding="utf-8").partition(HEADING)[0]
    file.write_text(before + reference(), encoding="utf-8")
