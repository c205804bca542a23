#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares date_parse() with Python's email.utils over a generated table of forms.

Usage: date_differential.py PROGRAM   (PROGRAM reads one date a line and prints seconds since 1970, or "none")
Left out, because they differ on purpose: 60 seconds (Python refuses), fractions, ISO 8601 and "GMT+0900" (Python reads
none of them), names of zones outside RFC 5322 (Python knows fewer), and two-digit years 50 to 68 (Python takes POSIX's
pivot, RFC 5322 4.3 another).
"""
import calendar
import email.utils
import itertools
import subprocess
import sys


def main():
    days = ["1", "09", "28", "29", "30", "31"]
    months = ["Jan", "FEB", "feb", "Apr", "Dec", "December"]
    years = ["1970", "1999", "2000", "2023", "2024", "94", "03"]
    times = ["00:00:00", "23:59:59", "7:05", "12:30:01"]
    zones = ["+0000", "-0000", "+0900", "-0330", "GMT", "UT", "EST", "PDT", "+0900 (JST)"]
    forms = []
    for d, m, y, t, z in itertools.product(days, months, years, times, zones):
        forms += [f"Mon, {d} {m} {y} {t} {z}", f"{d} {m} {y} {t} {z}"]
    forms += [f"Mon {m[:3]} {d} {t} {y}" for d, m, y, t in itertools.product(days, months, years[:5], times[:2])]
    out = subprocess.run([sys.argv[1]], input="\n".join(forms) + "\n", capture_output=True, text=True, check=True)
    wrong = 0
    for form, got in zip(forms, out.stdout.split(), strict=True):
        try:
            parsed = email.utils.parsedate_to_datetime(form)
            naive = parsed.tzinfo is None
            want = str(int(calendar.timegm(parsed.timetuple()) if naive else parsed.timestamp()))
        except (TypeError, ValueError):
            want = "none"
        if got != want:
            wrong += 1
            print(f"# {form}: got {got}, want {want}")
    print("1..1")
    print(("not ok" if wrong else "ok") + f" 1 - {len(forms)} dates, {wrong} differ")
    return 1 if wrong else 0


sys.exit(main())
