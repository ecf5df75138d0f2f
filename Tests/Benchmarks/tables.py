# SPDX-License-Identifier: Apache-2.0
"""What a run prints: the tables of figures, the goals, the comparison with an earlier run."""

import collections

import plan

# Counted, so that nobody loses something; in the JSON, and not worth a column.
HIDDEN_UNITS = ("events",)


def short(value):
    """Three digits of meaning."""
    magnitude = abs(value)
    if magnitude >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if magnitude >= 10 else f"{value:.2f}" if magnitude >= 0.1 or magnitude == 0 else f"{value:.3g}"


def print_lines(table):
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    print()
    for line in table:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip())


def print_figures(rows, cases):
    by_case = collections.defaultdict(dict)
    for row in rows:
        if row["unit"] not in (*HIDDEN_UNITS, "ratio"):
            by_case[row["workload"], row["driver"]].setdefault(row["metric"], {})[row["subject"]] = row
    references = {(case.name, case.driver): case.reference for case in cases}
    for (name, driver), metrics in by_case.items():
        reference = references.get((name.removeprefix("quick/"), driver), "raw")
        # The metrics first, what the process took last.
        metrics = dict(sorted(metrics.items(), key=lambda item: item[0].startswith("process_")))
        subjects = [subject for subject in plan.SUBJECTS if any(subject in cells for cells in metrics.values())]
        table = [[f"{name}, {driver}"] + [f"{metric} {next(iter(cells.values()))['unit']}" for metric, cells in metrics.items()]]
        for subject in subjects:
            line = [f"  {subject}"]
            for cells in metrics.values():
                row = cells.get(subject)
                if row is None:
                    line.append("-")
                    continue
                text = short(row["value"])
                if row["min"] != row["max"]:
                    text += f" ({short(row['min'])}..{short(row['max'])})"
                base = cells.get(reference)
                if base is not None and base["value"] > 0 and subject != reference and not row["metric"].startswith("process_"):
                    text += f" {row['value'] / base['value']:.2f}x"
                line.append(text)
            table.append(line)
        print_lines(table)
    print("\nMedians; in brackets the least and the greatest; x: ratio to libuv-guest (echo: libuv-poll; idletick, burst/timers: libuv-frame; "
          "tasks: dispatch; smallframe, server, instructions: raw; smallframe/woken: raw-wait).")


def print_goals(rows, intervals, busy, partial):
    """`intervals`: by goal, where there is one; `busy`: the cases of which this machine could not tell."""
    values = {(row["workload"], row["driver"], row["subject"], row["metric"]): row for row in rows}
    table = [["goal", "limit", "measured", "of limit", "ratio, 95 %", "met?"]]
    met = measured = unmeasured = unsure = 0
    for goal in plan.GOALS:
        text = f"{goal.case}, {goal.driver}: {'' if goal.of == 'tandem' else goal.of + ' '}{goal.metric} {goal.relation} {goal.factor:g}"
        text += f" x {goal.subject}" if goal.subject else ""
        row = values.get((goal.case, goal.driver, goal.of, goal.metric))
        limit = goal.factor
        if goal.subject:
            base = values.get((goal.case, goal.driver, goal.subject, goal.metric))
            limit = goal.factor * base["value"] if base else None
        if row is None or limit is None:
            unmeasured += 1
            is_busy = (goal.case, goal.driver) in busy
            if not partial or is_busy:
                table.append([text, "-", "-", "-", "-", "TOO BUSY TO TELL" if is_busy else "not measured"])
            continue
        # A thousandth of an allocation is the harness's own.
        slack = 0.001 if row["metric"].startswith("allocs") else 1e-9
        holds = row["value"] <= limit + slack if goal.relation == "<=" else row["value"] >= limit - slack
        interval = intervals.get(goal)
        is_unsure = interval is not None and interval.low < goal.factor < interval.high
        measured += 1
        met += holds
        unsure += is_unsure
        ratio = f"{short(interval.low)}..{short(interval.high)} ({interval.count})" if interval else "-"
        table.append([text, f"{short(limit)} {row['unit']}", f"{short(row['value'])} {row['unit']}",
                      f"{row['value'] / limit:.2f}" if limit else "-", ratio, ("yes" if holds else "NO") + ("?" if is_unsure else "")])
    if len(table) == 1:
        return
    print_lines(table)
    print(f"\n{met} of {measured} goals met; {unsure} (?) have their limit within the ratio's interval; {unmeasured} not measured.")


def print_comparison(old, new, name):
    """Rows that both runs have. Marked is what lies outside both ranges: all of the one's values are on one side of the other's."""
    key = lambda row: (row["workload"], row["driver"], row["subject"], row["metric"])
    before = {key(row): row for row in old if row["workload"] != "machine"}
    table = [[f"compared with {name}", "metric", "old", "new", "new/old", ""]]
    marked = 0
    for row in new:
        former = before.get(key(row))
        if former is None or row["unit"] in (*HIDDEN_UNITS, "ratio") or row["metric"].startswith("process_"):
            continue
        mark = "HIGHER" if row["min"] > former["max"] else "lower" if row["max"] < former["min"] else ""
        marked += bool(mark)
        ranged = lambda row: short(row["value"]) + (f" ({short(row['min'])}..{short(row['max'])})" if row["min"] != row["max"] else "")
        ratio = f"{row['value'] / former['value']:.2f}" if former["value"] else "-"
        table.append([f"  {row['workload']}, {row['driver']}: {row['subject']}", f"{row['metric']} {row['unit']}", ranged(former), ranged(row),
                      ratio, mark])
    if len(table) == 1:
        print(f"\n{name} has no row of this run's.")
        return
    print_lines(table)
    print(f"\n{len(table) - 1} rows compared; {marked} are outside of both ranges.")
