"""Figures, each beside its bound."""
import json
import statistics
import sys

import service


class Report:
    def __init__(self, title, facts):
        self.title, self.facts, self.rows = title, facts, []
        print(f"{title}\n{service.hardware()}\n{facts}\n", flush=True)

    def add(self, name, measured, bound, passed, spread="", values=None):
        """`passed` is None for what is only told."""
        self.rows.append({"figure": name, "measured": measured, "bound": bound, "spread": spread, "passed": passed,
                          "values": values})
        mark = {True: "pass", False: "FAIL", None: ""}[passed]
        print(f"  {name}: {measured}{f' ({spread})' if spread else ''}, bound {bound or 'none'} {mark}", flush=True)

    def most(self, name, values, bound, unit, digits=1):
        """The median of `values` is at most `bound`."""
        self.median(name, values, f"<= {bound:g} {unit}".strip(), lambda median: median <= bound, unit, digits)

    def least(self, name, values, bound, unit="", digits=2):
        self.median(name, values, f">= {bound:g} {unit}".strip(), lambda median: median >= bound, unit, digits)

    def median(self, name, values, bound, holds, unit, digits):
        median = statistics.median(values)
        spread = f"{min(values):.{digits}f} to {max(values):.{digits}f}" if len(values) > 1 else ""
        self.add(name, f"{median:.{digits}f} {unit}".strip(), bound, holds(median), spread, values)

    def finish(self, path):
        """Prints the table, writes the JSON, and ends the process: 1 where a bound is broken."""
        columns = ["figure", "measured", "spread", "bound"]
        widths = {c: max(len(c), *(len(row[c]) for row in self.rows)) for c in columns}
        print("\n| " + " | ".join(c.ljust(widths[c]) for c in columns) + " |      |")
        print("|" + "|".join("-" * (widths[c] + 2) for c in columns) + "|------|")
        for row in self.rows:
            mark = {True: "pass", False: "FAIL", None: "    "}[row["passed"]]
            print("| " + " | ".join(row[c].ljust(widths[c]) for c in columns) + f" | {mark} |")
        with open(path, "w") as file:
            json.dump({"title": self.title, "hardware": service.hardware(), "facts": self.facts, "rows": self.rows},
                      file, indent=1)
        failed = [row["figure"] for row in self.rows if row["passed"] is False]
        print(f"\n{len(self.rows)} figures, {len(failed)} failed; {path}")
        sys.exit(1 if failed else 0)
