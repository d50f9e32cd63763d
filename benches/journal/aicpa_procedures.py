"""Counts the published AICPA procedures on the sample ledger, as they are worded, with pandas.

Usage: python benches/journal/aicpa_procedures.py GL_Detail.csv Log_File.csv

The same counts are asserted in jobs/journal/tests/aicpa.rs, which reaches them with our own tests. Amounts are counted in
cents, so that no figure depends on how floats are added; where the wording works with floats, both counts are shown.
"""

import sys

import pandas as pd


def main(detail_path, log_path):
    lines = pd.read_csv(detail_path)
    log = pd.read_csv(log_path)
    sign = lines["Amount_Credit_Debit_Indicator"].map({"S": 1, "H": -1})
    lines["Net"] = (lines["Amount"] * 100).round().astype("int64") * sign
    log["Total"] = (log["Total"] * 100).round().astype("int64")

    def show(procedure, count, note=""):
        print(f"{procedure:<28}{count:>7}  {note}".rstrip())

    print(f"{len(lines)} lines, {lines['Journal_ID'].nunique()} entries")

    steps = lines["Journal_ID"].drop_duplicates().sort_values().diff().dropna()
    missing = int((steps - 1)[steps > 1].sum())
    show("1.1 gaps", int((steps > 1).sum()), f"{missing} ids missing")

    show("1.2 listing", len(set(lines["Journal_ID"]) ^ set(log["Journal_ID"])))

    keys = ["Journal_ID", "Amount_Credit_Debit_Indicator"]
    totals = lines.groupby(keys)["Net"].sum().abs().reset_index().merge(log, on=keys, how="outer").fillna(0)
    differing = totals[totals["Net"] != totals["Total"].abs()]
    show("1.3 control totals", len(differing), str(sorted(differing["Journal_ID"].unique().tolist())))

    sums = lines.groupby("Journal_ID")["Net"].sum()
    show("2.1 incomplete", int((sums != 0).sum()), str(sums[sums != 0].index.tolist()))

    # The published procedure groups floats; equal decimals are equal floats, so that cents give the same groups.
    groups = lines.groupby(["GL_Account_Number", "Period", "Net"])["Journal_ID"]
    alike = groups.transform("size") != 1
    other = groups.transform("nunique") != 1
    show("2.2 duplicates", int(alike.sum()), f"{int(other.sum())} of them alike in another entry")

    round_thousands = lines["Net"] % 100_000 == 0
    zeros = int((lines["Net"] == 0).sum())
    show("2.3 round 1000s", int(round_thousands.sum()), f"{zeros} of them zero")

    # As worded: dates as numbers, so that "+ 100" is a month within a year, and over the end of a year it is not.
    postdated = lines["Document_Date"] > lines["Entered_Date"] + 100
    document = pd.to_datetime(lines["Document_Date"].astype(str), format="%Y%m%d", errors="coerce")
    entered = pd.to_datetime(lines["Entered_Date"].astype(str), format="%Y%m%d", errors="coerce")
    days = (document - entered).dt.days
    show("2.4 post-dated", int(postdated.sum()),
         f"{int((days > 0).sum())} by a day or more, {int((days > 30).sum())} by more than 30 days, "
         f"least days of the count {int(days[postdated].min())}")

    # As worded the time is glued to the date as text, which loses leading zeros: 1:02:03 becomes "10203" and reads 10:20:03.
    glued = lines["Entered_Date"].astype(str) + lines["Entered_Time"].astype(str)
    read = pd.to_datetime(glued, format="%Y%m%d%H%M%S", errors="coerce")
    show("2.5 weekend", int((read.dt.day_of_week >= 5).sum()), f"{int((entered.dt.day_of_week >= 5).sum())} by the date alone")
    hours = lines["Entered_Time"] // 10_000
    night = (hours >= 20) | (hours <= 5)
    show("2.5 night", int(((read.dt.hour >= 20) | (read.dt.hour <= 5)).sum()), f"{int(night.sum())} with the leading zeros put back")

    users = lines.groupby("Entered_By")["Journal_ID"].transform("size")
    show("2.6 rare users", int((users <= 10).sum()), str(sorted(lines[users <= 10]["Entered_By"].unique().tolist())))
    accounts = lines.groupby("GL_Account_Number")["Journal_ID"].transform("size")
    show("2.6 rare accounts", int((accounts <= 3).sum()), f"{lines[accounts <= 3]['GL_Account_Number'].nunique()} accounts")


if __name__ == "__main__":
    main(*sys.argv[1:])
