"""Fire times by others: `cronsim` and `zoneinfo`, and a rule for changes of the clock that reads minute by minute.

Prints one JSON object a line: {"line", "zone", "after", "times", "whole"}, all times in seconds since 1970. With "whole", `times` is
everything after `after` and not after "until"; else the first few.

    schedules.py random SEED COUNT     random lines and zones
    schedules.py changes               every change of the clock of 2024 to 2030 in ten zones
"""

import json
import random
import sys
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

UTC = timezone.utc
TAKEN = 6

ZONES = """Europe/Berlin Europe/London Europe/Lisbon America/New_York America/Los_Angeles America/Sao_Paulo America/Santiago
Africa/Cairo Africa/Casablanca Asia/Tehran Asia/Kolkata Asia/Kathmandu Asia/Tokyo Asia/Jerusalem Australia/Sydney
Pacific/Auckland Pacific/Apia Pacific/Chatham America/St_Johns America/Havana UTC""".split()

TEN = """Europe/Berlin Europe/London America/New_York America/Los_Angeles America/Santiago Africa/Cairo Asia/Jerusalem
Australia/Sydney Australia/Lord_Howe Pacific/Auckland""".split()


def field(rng, low, high, stars):
    if rng.random() < stars:
        return "*"
    # Of two at least: cronsim takes `5-5/2` for `5/2`.
    first = rng.randint(low, high - 1)
    last = rng.randint(first + 1, high)
    return rng.choice([
        str(first), str(first), f"{first}-{last}", f"{first}-{last}/{rng.randint(1, min(9, high))}", f"*/{rng.randint(2, (high - low) // 2)}",
        ",".join(map(str, sorted({rng.randint(low, high) for _ in range(3)}))),
    ])


def day(rng):
    return rng.choice(["L", "LW", "31", "30", "29"]) if rng.random() < 0.1 else field(rng, 1, 31, 0.6)


def weekday(rng):
    if rng.random() < 0.15:
        return rng.choice([f"{rng.randint(0, 7)}L", f"{rng.choice(['MON', 'TUE', 'SAT'])}#{rng.randint(1, 5)}", "MON-FRI", "SAT,SUN"])
    return field(rng, 0, 7, 0.6)


def month(rng):
    return rng.choice(["JAN", "JAN-MAR", "FEB", "2", "10-12"]) if rng.random() < 0.15 else field(rng, 1, 12, 0.8)


def line(rng):
    fields = [field(rng, 0, 59, 0.25), field(rng, 0, 23, 0.35), day(rng), month(rng), weekday(rng)]
    if rng.random() < 0.2:
        fields.insert(0, field(rng, 0, 59, 0.1))
    return " ".join(fields)


def is_fixed(text):
    fields = text.split()
    return not any(part.startswith("*") for part in fields[: len(fields) - 3])


def offset(moment, zone):
    return moment.astimezone(zone).utcoffset()


def resolve(civil, zone):
    """The instant that a time of the day stands for: the first of two; the end of the gap, found second by second."""
    local = civil.replace(tzinfo=zone, fold=0)
    instant = local.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == civil:
        return instant
    # Within a gap; `fold=0` reads it with the offset before, which is an instant after the change.
    low, high = instant - timedelta(days=2), instant
    before = offset(low, zone)
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) // 2
        middle = middle.replace(microsecond=0)
        if offset(middle, zone) == before:
            low = middle
        else:
            high = middle
    return high


def fixed_times(text, zone, after):
    """Each time of the day, as it is on a clock that never changes, brought to the real one by the rule above."""
    last = after
    for civil in CronSim(text, after.astimezone(zone).replace(tzinfo=None)):
        instant = resolve(civil, zone)
        if instant > last:
            last = instant
            yield instant


def real_times(text, zone, after):
    """Every instant at which the clock on the wall shows a time that matches: none in a gap, two where it is repeated."""
    found, slack = [], timedelta(hours=3)
    for civil in CronSim(text, after.astimezone(zone).replace(tzinfo=None) - slack):
        for fold in (0, 1):
            instant = civil.replace(tzinfo=zone, fold=fold).astimezone(UTC)
            shown = instant.astimezone(zone)
            if shown.replace(tzinfo=None) == civil and instant > after and instant not in found[-8:]:
                found.append(instant)
        # A repeated time may come after later ones; since 2000 no zone of these repeats more than two hours.
        if len(found) >= TAKEN and instant > sorted(found)[TAKEN - 1] + slack:
            break
    return iter(sorted(found))


def fires(text, zone, after):
    return fixed_times(text, zone, after) if is_fixed(text) else real_times(text, zone, after)


def out(text, zone, after, times, until=None):
    case = {"line": text, "zone": str(zone), "after": int(after.timestamp()), "times": [int(at.timestamp()) for at in times]}
    if until is not None:
        case["until"] = int(until.timestamp())
    print(json.dumps(case))


def random_cases(seed, count):
    rng = random.Random(seed)
    start, end = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp()), int(datetime(2034, 1, 1, tzinfo=UTC).timestamp())
    changes = {name: changes_of(ZoneInfo(name), 2001, 2033) for name in ZONES}
    made = 0
    while made < count:
        text, name = line(rng), rng.choice(ZONES)
        zone = ZoneInfo(name)
        after = datetime.fromtimestamp(rng.randint(start, end), UTC)
        if changes[name] and rng.random() < 0.5:
            # Half of them near a change of the clock, where mistakes live.
            after = rng.choice(changes[name]) - timedelta(seconds=rng.randint(0, 2 * 86_400))
        times = []
        try:
            for moment in fires(text, zone, after):
                times.append(moment)
                if len(times) == TAKEN:
                    break
        except CronSimError:
            pass
        out(text, name, after, times)
        made += 1


def changes_of(zone, first, last):
    found = []
    moment, end = datetime(first, 1, 1, tzinfo=UTC), datetime(last + 1, 1, 1, tzinfo=UTC)
    while moment < end:
        after = moment + timedelta(hours=6)
        if offset(moment, zone) != offset(after, zone):
            low, high = moment, after
            while high - low > timedelta(seconds=1):
                middle = (low + (high - low) // 2).replace(microsecond=0)
                low, high = (middle, high) if offset(middle, zone) == offset(moment, zone) else (low, middle)
            found.append(high)
        moment = after
    return found


# What a line means, spelled out as predicates of hour and minute: no parser takes part.
LINES = {
    "30 2 * * *": (True, lambda h, m: (h, m) == (2, 30)),
    "15 0 * * *": (True, lambda h, m: (h, m) == (0, 15)),
    "0 3 * * *": (True, lambda h, m: (h, m) == (3, 0)),
    "0,15,30,45 0-5 * * *": (True, lambda h, m: m % 15 == 0 and h <= 5),
    "59 23 * * *": (True, lambda h, m: (h, m) == (23, 59)),
    "*/20 * * * *": (False, lambda h, m: m % 20 == 0),
    "*/15 2 * * *": (False, lambda h, m: m % 15 == 0 and h == 2),
    "10 */2 * * *": (False, lambda h, m: m == 10 and h % 2 == 0),
    "* * * * *": (False, lambda h, m: True),
}


def change_cases():
    for name in TEN:
        zone = ZoneInfo(name)
        for change in changes_of(zone, 2024, 2030):
            after, until = change - timedelta(hours=30), change + timedelta(hours=30)
            for text, (fixed, means) in LINES.items():
                out(text, name, after, by_minutes(zone, after, until, fixed, means), until)


def by_minutes(zone, after, until, fixed, means):
    if not fixed:
        moments = (after + timedelta(minutes=n) for n in range(1, 60 * 60 + 1))
        return [at for at in moments if means(at.astimezone(zone).hour, at.astimezone(zone).minute)]
    civil = after.astimezone(zone).replace(tzinfo=None) - timedelta(hours=3)
    minutes = (civil + timedelta(minutes=n) for n in range(66 * 60))
    found = {resolve(minute, zone) for minute in minutes if means(minute.hour, minute.minute)}
    return sorted(at for at in found if after < at <= until)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["random", seed, count]:
            random_cases(int(seed), int(count))
        case ["changes"]:
            change_cases()
        case _:
            sys.exit(__doc__)
