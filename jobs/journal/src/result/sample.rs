//! Results as a year of a trading company would have, made from a seed: for the tests of everything that shows them.

use jiff::ToSpan;
use jiff::civil::{Date, date};

use super::*;
use crate::amount::Amount;
use crate::selection::key;

/// Texts that have broken spreadsheets, pages and prints, among ordinary ones.
pub(crate) const TEXTS: [&str; 12] = [
    "Supplier invoice",
    "Manual accrual Q4",
    "=HYPERLINK(\"http://x\",\"pay\")",
    "+49 30 1234",
    "-reversal",
    "@SUM(A1:A9)",
    "\ttab before",
    "\rreturn before",
    "<script>alert(1)</script> & \"quotes\"",
    "Zażółć gęślą jaźń – Rückstellung „Prüfung“",
    "年末调整 総勘定元帳",
    "Начисление резерва Προσαρμογή",
];

pub(crate) struct Random {
    seed: u64,
    drawn: u64,
}

impl Random {
    fn next(&mut self) -> u64 {
        self.drawn += 1;
        key(self.seed, "results", &self.drawn.to_string()) as u64
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// About normal: the sum of twelve.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    fn amount(&mut self) -> f64 {
        libm::exp(6.8 + 1.7 * self.normal())
    }

    fn text(&mut self) -> String {
        TEXTS[self.below(TEXTS.len() as u64) as usize].into()
    }

    fn date(&mut self) -> Date {
        date(2025, 1, 1) + (self.below(365) as i64).days()
    }

    fn user(&mut self) -> String {
        ["KELLER", "BRANDT", "OKAFOR", "STEINER", "=cmd|' /C calc'!A0"][self.below(5) as usize].into()
    }
}

fn cents(amount: f64) -> Amount {
    Amount::from_cents((amount * 100.0) as i64)
}

fn band(risk: f64) -> Band {
    match risk {
        risk if risk >= 0.5 => Band::High,
        risk if risk >= 0.3 => Band::Medium,
        _ => Band::Low,
    }
}

pub(crate) fn results(seed: u64) -> Results {
    let mut random = Random { seed, drawn: 0 };
    let window = Some(Window { from: date(2025, 1, 1), to: date(2025, 12, 31) });
    let top = top(&mut random);
    Results {
        schema: SCHEMA,
        program: "compline 0.1.0".into(),
        command: "compline journal score /ledgers/2025/GL_Detail.csv --config journal.toml --seed 20260101"
            .into(),
        inputs: vec![Input {
            path: "/ledgers/2025/GL_Detail.csv".into(),
            format: "AICPA ADS GL_Detail, CSV".into(),
            bytes: 4_210_334,
            sha256: "3f5a".repeat(16),
            lines: 41_220,
            rejected: Listed::of(
                vec![RejectedLine {
                    first_line: 977,
                    last_line: 977,
                    field: "Amount".into(),
                    problem: "`1.234,50` is not a plain decimal number".into(),
                    remedy: "set the decimal separator in the mapping".into(),
                }],
                2,
            ),
        }],
        population: Population {
            entries: 15_400,
            lines: 41_220,
            totals: [("1000", "EUR", 30_110), ("1000", "USD", 4_200), ("2000", "GBP", 6_910)]
                .map(|(entity, currency, lines)| {
                    let debit = cents(random.amount() * 90_000.0);
                    Total { entity: entity.into(), currency: currency.into(), lines, debit, credit: debit }
                })
                .into(),
            window,
        },
        completeness: completeness(&mut random),
        parameters: [
            ("seed", "20260101"),
            ("trees", "100"),
            ("sample", "256"),
            ("bands.medium", "0.30"),
            ("bands.high", "0.50"),
            ("materiality", "250000.00"),
        ]
        .map(|(name, value)| Parameter { name: name.into(), value: value.into() })
        .into(),
        parameters_sha256: "9c01".repeat(16),
        model: Model {
            id: "je-2025-eur-7f3a".into(),
            name: None,
            version: None,
            sha256: "77e2".repeat(16),
            seed: 20_260_101,
            trees: 100,
            sample: 256,
            features: 34,
            trained_on: "the ledger itself".into(),
            trained_entries: 15_400,
            window,
        },
        drift: Vec::new(),
        challenge: None,
        scores_sha256: "1b0d".repeat(16),
        tests: tests(&mut random),
        bands: vec![
            BandCount { band: Band::Low, from: 0.0, to: 0.3, entries: 14_962 },
            BandCount { band: Band::Medium, from: 0.3, to: 0.5, entries: 391 },
            BandCount { band: Band::High, from: 0.5, to: 1.0, entries: 47 },
        ],
        distributions: distributions(&mut random),
        top,
        asked: Vec::new(),
        in_part: Vec::new(),
        surrogate: Surrogate {
            fidelity: 0.83,
            rules: vec![
                Rule {
                    text: "an account in fewer than 1 of 9,000 entries and way of entry (by hand or not) in fewer than 10 % of entries".into(),
                    support: 61,
                    precision: 0.77,
                },
                Rule {
                    text: "amount further than 4.2 robust deviations from its account's median".into(),
                    support: 40,
                    precision: 0.65,
                },
            ],
        },
        selections: selections(&mut random),
    }
}

/// The same, scored by a model that no longer fits, with another beside it.
pub(crate) fn by_model(seed: u64) -> Results {
    use crate::drift::{Bounds, Drift, Level, Moved};

    let results = results(seed);
    let model = Model { name: Some("acme".into()), version: Some(3), ..results.model.clone() };
    let moved =
        |name: &str, figure| Moved { name: name.into(), figure, level: Level::of(figure, Bounds::default()) };
    let drift = |population: &str, features: Vec<Moved>, level| Drift {
        population: population.into(),
        entries: 7_700,
        reference_entries: 8_100,
        bounds: Bounds::default(),
        level,
        too_few: false,
        features,
        score_psi: 0.021,
        score_ks: 0.034,
        score_level: Level::Calm,
        unseen: Vec::new(),
    };
    let parted = |entry: &str| Parted {
        entry: entry.into(),
        champion: Placed { rank: 77, score: 5.25 },
        challenger: Placed { rank: 1_203, score: 2.5 },
    };
    let challenge = Challenge {
        model: Model { id: "je-2026-eur-0001".into(), version: Some(4), ..model.clone() },
        entries: 15_400,
        spearman: 0.9312,
        first: 154,
        both: 152,
        champion_only: Listed::of(vec![parted("100000815"), parted("=1+1")], 2),
        challenger_only: Listed::of(vec![parted("100000816")], 2),
    };
    let drift = vec![
        drift("1000, automatic", vec![moved("user", 0.02)], Level::Calm),
        drift("1000, by hand", vec![moved("hour", 0.31), moved("user", 0.12)], Level::Alarm),
    ];
    Results { model, drift, challenge: Some(challenge), ..results }
}

fn completeness(random: &mut Random) -> Completeness {
    let mut accounts = Vec::new();
    for number in 0..40_u32 {
        let (opening, movement) = (cents(random.amount() * 9.0), cents(random.amount() - 900.0));
        let difference = if number == 0 { Amount::from_cents(1) } else { Amount::ZERO };
        accounts.push(AccountMovement {
            entity: "1000".into(),
            account: (400_000 + number * 1_000).to_string(),
            name: if number == 3 { "=Rückstellungen".into() } else { format!("Account {number}") },
            currency: "EUR".into(),
            opening,
            movement,
            closing: opening + movement - difference,
            difference,
        });
    }
    Completeness {
        incomplete: Listed::of(
            vec![Told { entry: "100000099".into(), words: "entry 100000099 has one line".into() }],
            1,
        ),
        roll_forward: RollForward::Done {
            accounts: Listed::of(accounts, 40),
            differing: 1,
            verdict: Verdict::Overridden {
                by: "m.meier".into(),
                why: "one cent of rounding in the export, confirmed by the client".into(),
            },
        },
        unbalanced: Listed::of(
            vec![Imbalance {
                entry: "100004711".into(),
                currency: "EUR".into(),
                difference: Amount::from_cents(-1_250),
            }],
            1,
        ),
        control_totals: vec![ControlTotal {
            name: "lines".into(),
            expected: "41222".into(),
            found: "41220".into(),
            agrees: false,
        }],
        gaps: Listed::of(vec![Gap { after: "100000077".into(), before: "100000081".into(), missing: 3 }], 1),
        duplicates: Listed::default(),
        misdated: Listed::of(
            vec![Told {
                entry: "100000098".into(),
                words: "line 1 of entry 100000098 is dated 2031-01-01, outside the ledger".into(),
            }],
            7,
        ),
    }
}

fn tests(random: &mut Random) -> Vec<ControlTest> {
    [
        ("C3", "Entry does not balance", "entry", "CAQ Practice Aid 5.5", 1),
        ("W1", "Rare user", "line", "AU-C 240.A49(b)", 12),
        ("T1", "Weekend or holiday", "entry", "AU-C 240.A49(c)", 1_100),
        ("T2", "After hours", "entry", "AICPA 2.5", 31),
        ("T4", "Period end", "entry", "AS 2401.61", 64),
        ("A1", "Seldom-used account", "line", "AU-C 240.A49(a)", 33),
        ("A2", "Rare pair of debit and credit account", "entry", "AU-C 240.A49(a)", 58),
        ("M3", "Round amount", "line", "AU-C 240.A49(e)", 40),
        ("M5", "Just below an approval limit", "entry", "practice", 0),
        ("D1/D2", "Missing text: or [suspicious] words?", "line", "AU-C 240.A49(c)", 77),
        ("d1*d2", "Another whose name a sheet cannot bear", "line", "practice", 3),
    ]
    .into_iter()
    .map(|(id, title, level, source, hits)| ControlTest {
        id: id.into(),
        title: title.into(),
        level: level.into(),
        weight: 1.0 + random.below(4) as f64 / 2.0,
        source: source.into(),
        parameters: vec!["limit = 10".into(), "accounts = =1+1".into()],
        lines_hit: hits * 2,
        amount: cents(random.amount() * hits as f64),
        hits: tested(random, hits),
    })
    .collect()
}

fn tested(random: &mut Random, hits: u64) -> Listed<TestedEntry> {
    let mut list = Listed::default();
    for number in 0..hits {
        let risk = (1.0 - number as f64 / 900.0).max(0.05);
        let entry = TestedEntry {
            entry: format!("{}", 100_000_000 + random.below(15_400)),
            date: Some(random.date()),
            user: random.user(),
            amount: cents(random.amount()),
            currency: "EUR".into(),
            risk,
            band: band(risk),
            words: format!("{}: 2 of 41,220 lines", random.text()),
        };
        list.push(entry, MOST_HITS);
    }
    list
}

fn top(random: &mut Random) -> Listed<TopEntry> {
    let mut list = Listed::default();
    for rank in 1..=60 {
        let risk = 0.98 - rank as f64 / 110.0;
        let amount = cents(random.amount() * 40.0);
        let line = |account: &str, debit, credit, text: String| EntryLine {
            account: account.into(),
            account_name: "Other expense".into(),
            debit,
            credit,
            text,
        };
        list.push(
            TopEntry {
                rank,
                entry: if rank == 3 { "=1+2".into() } else { format!("{}", 100_000_000 + random.below(15_400)) },
                population: "1000 manual".into(),
                score: 0.81 - rank as f64 / 400.0,
                risk,
                band: band(risk),
                detector: Detector::ALL[random.below(4) as usize],
                date: Some(random.date()),
                user: random.user(),
                amount,
                currency: "EUR".into(),
                text: TEXTS[rank as usize % TEXTS.len()].into(),
                lines: Listed::of(
                    vec![
                        line("479000", Some(amount), None, random.text()),
                        line("113100", None, Some(amount), random.text()),
                    ],
                    if rank == 2 { 250 } else { 2 },
                ),
                hits: vec![
                    TestHit { test: "W1".into(), words: "user STEINER has 7 of 41,220 lines".into() },
                    TestHit { test: "T1".into(), words: "entered on a Sunday, 2025-06-15".into() },
                ],
                reasons: vec![
                    Reason {
                        feature: "amount_in_account".into(),
                        contribution: 1.84,
                        words: "999,999.00 EUR is far from the usual 1,204.50, the median of 310 debits of account 479000".into(),
                    },
                    Reason {
                        feature: "account_of_user".into(),
                        contribution: 0.91,
                        words: "account 479000 occurs on 1 of user STEINER's 7 lines".into(),
                    },
                ],
            },
            MOST_TOP,
        );
    }
    list
}

fn distributions(random: &mut Random) -> Distributions {
    let mut scores = vec![0_u64; 50];
    for _ in 0..15_400 {
        let score =
            0.42 + 0.045 * random.normal() + if random.below(40) == 0 { random.unit() * 0.35 } else { 0.0 };
        scores[((score * 50.0) as usize).min(49)] += 1;
    }
    let mut week =
        WeekHours { hours: [[HourCell::default(); 24]; 7], untimed: [HourCell::default(); 7], undated: 4 };
    for (day, hours) in week.hours.iter_mut().enumerate() {
        for (hour, cell) in hours.iter_mut().enumerate() {
            let busy = if (7..19).contains(&hour) { 300.0 } else { 6.0 } * if day >= 5 { 0.03 } else { 1.0 };
            let entries = (busy * random.unit()) as u64;
            let mean_score = if entries == 0 { 0.0 } else { 0.41 + random.unit() * 0.1 };
            *cell = HourCell { entries, mean_score };
        }
    }
    let points = (0..MOST_POINTS)
        .map(|_| {
            let (amount, score) = (
                random.amount(),
                (0.42 + 0.05 * random.normal() + libm::pow(random.unit(), 30.0) * 0.35).clamp(0.05, 0.95),
            );
            ScatterPoint { amount, score, band: band(score - 0.12) }
        })
        .collect();
    Distributions {
        scores: Histogram { from: 0.0, to: 1.0, counts: scores },
        week,
        benford: [
            (BenfordKind::First, 1..=9),
            (BenfordKind::FirstTwo, 10..=99),
            (BenfordKind::SecondOrder, 10..=99),
            (BenfordKind::LastTwo, 0..=99),
        ]
        .map(|(kind, digits)| benford(random, kind, digits))
        .into(),
        points,
    }
}

fn benford(random: &mut Random, kind: BenfordKind, digits: std::ops::RangeInclusive<u16>) -> Benford {
    let amounts = 39_871;
    let degrees = u32::from(digits.end() - digits.start());
    let digits = digits
        .map(|digits| {
            let expected = match kind {
                BenfordKind::LastTwo => 0.01,
                _ => libm::log10(1.0 + 1.0 / f64::from(digits)),
            };
            let bump = if digits == 49 { 1.7 } else { 1.0 };
            let observed = amounts as f64 * expected * bump * (1.0 + 0.05 * random.normal());
            DigitCount { digits, expected, observed: observed as u64 }
        })
        .collect();
    Benford {
        kind,
        population: "all amounts of 10 and more".into(),
        amounts,
        digits,
        mad: 0.00132,
        chi_square: 214.6,
        degrees,
        conclusion: "acceptable conformity (MAD between 0.0012 and 0.0018, Nigrini 2012)".into(),
    }
}

fn selections(random: &mut Random) -> Vec<Selection> {
    let methods = [
        (Method::AllHigh, 47),
        (
            Method::MonetaryUnit {
                seed: 20_260_101,
                interval: Amount::from_cents(6_800_000),
                start: Amount::from_cents(1_234_567),
                basis: "from a tolerable misstatement of 250,000.00, an expected one of 28,750.00 and a risk of incorrect acceptance of 5 %".into(),
            },
            88,
        ),
        (
            Method::Stratified {
                seed: 20_260_101,
                strata: [0, 100_000, 10_000_000]
                    .map(|from| Stratum {
                        from: Amount::from_cents(from),
                        size: 10,
                        population_entries: 5_000,
                        population_amount: cents(random.amount() * 5_000.0),
                    })
                    .into(),
            },
            30,
        ),
        (Method::Random { seed: 20_260_101, size: 25 }, 25),
    ];
    methods
        .into_iter()
        .map(|(method, size)| {
            let chosen = (0..size)
                .map(|number| {
                    let risk = 0.95 - number as f64 / 200.0;
                    Chosen {
                        entry: format!("{}", 100_000_000 + random.below(15_400)),
                        date: Some(random.date()),
                        user: random.user(),
                        text: random.text(),
                        amount: cents(random.amount()),
                        band: band(risk),
                        risk,
                        why: "drawn at random".into(),
                    }
                })
                .collect();
            Selection {
                method,
                population_entries: 15_400,
                population_amount: Amount::from_cents(98_765_432_100),
                left_out: String::new(),
                chosen: Listed::of(chosen, 0),
            }
        })
        .collect()
}
