//! The company behind the sample: its accounts, and the processes that post to them.

pub(super) struct Process {
    pub(super) source: &'static str,
    /// Of a thousand entries.
    pub(super) share: u32,
    pub(super) debits: &'static [u32],
    pub(super) credits: &'static [u32],
    pub(super) users: &'static [&'static str],
    pub(super) texts: &'static [&'static str],
    /// Median, in units of currency.
    pub(super) usual_amount: f64,
    /// Standard deviation of the amount's logarithm.
    pub(super) spread: f64,
    /// Working hours, from and to.
    pub(super) hours: (u32, u32),
    pub(super) weekend_percent: u32,
    /// How many entries in a hundred have a third line.
    pub(super) split_percent: u32,
}

const BANK: u32 = 113_100;
const RECEIVABLES: u32 = 140_000;
const INPUT_TAX: u32 = 154_000;
const PAYABLES: u32 = 160_000;
const GOODS_RECEIVED: u32 = 191_100;

pub(super) static PROCESSES: [Process; 9] = [
    Process {
        source: "KR",
        share: 260,
        debits: &[400_000, 470_000, 471_000, 473_000, 474_000, 476_000, 477_000, INPUT_TAX],
        credits: &[PAYABLES],
        users: &["KELLER", "BRANDT", "NOVAK"],
        texts: &["Supplier invoice", "Office supplies", "Telephone", "Freight in", "Maintenance"],
        usual_amount: 640.0,
        spread: 1.1,
        hours: (7, 18),
        weekend_percent: 3,
        split_percent: 35,
    },
    Process {
        source: "KZ",
        share: 180,
        debits: &[PAYABLES],
        credits: &[BANK, BANK, 113_200],
        users: &["OKAFOR", "LINDT"],
        texts: &["Payment run", "Supplier payment"],
        usual_amount: 900.0,
        spread: 1.2,
        hours: (8, 17),
        weekend_percent: 1,
        split_percent: 0,
    },
    Process {
        source: "DR",
        share: 200,
        debits: &[RECEIVABLES],
        credits: &[800_000, 800_000, 801_000, 802_000],
        users: &["MEIER", "SANTOS", "WEBER"],
        texts: &["Customer invoice", "Delivery"],
        usual_amount: 1_450.0,
        spread: 1.0,
        hours: (7, 19),
        weekend_percent: 4,
        split_percent: 0,
    },
    Process {
        source: "DZ",
        share: 150,
        debits: &[BANK, BANK, 113_200],
        credits: &[RECEIVABLES],
        users: &["OKAFOR", "LINDT"],
        texts: &["Customer payment", "Bank statement"],
        usual_amount: 1_400.0,
        spread: 1.0,
        hours: (8, 17),
        weekend_percent: 1,
        split_percent: 0,
    },
    Process {
        source: "WE",
        share: 90,
        debits: &[300_000, 310_000],
        credits: &[GOODS_RECEIVED],
        users: &["LAGER1", "LAGER2"],
        texts: &["Goods receipt"],
        usual_amount: 2_300.0,
        spread: 0.9,
        hours: (6, 20),
        weekend_percent: 9,
        split_percent: 15,
    },
    Process {
        source: "WA",
        share: 60,
        debits: &[890_000, 891_000],
        credits: &[300_000, 310_000],
        users: &["LAGER1", "LAGER2"],
        texts: &["Goods issue"],
        usual_amount: 800.0,
        spread: 0.9,
        hours: (6, 20),
        weekend_percent: 9,
        split_percent: 10,
    },
    Process {
        source: "AF",
        share: 25,
        debits: &[481_000, 482_000],
        credits: &[11_010, 12_010, 13_010],
        users: &["BATCH"],
        texts: &["Depreciation run"],
        usual_amount: 420.0,
        spread: 0.8,
        hours: (6, 8),
        weekend_percent: 2,
        split_percent: 0,
    },
    Process {
        source: "PR",
        share: 15,
        debits: &[430_000, 440_000],
        credits: &[BANK, 175_000],
        users: &["HRKLEIN"],
        texts: &["Wages", "Social security"],
        usual_amount: 3_200.0,
        spread: 0.4,
        hours: (9, 16),
        weekend_percent: 0,
        split_percent: 0,
    },
    Process {
        source: "SA",
        share: 20,
        debits: &[470_000, 471_000, 479_000, 176_000, 98_000, 99_000],
        credits: &[BANK, 176_000, 98_000, 99_000],
        users: &["STEINER", "BRAUN"],
        texts: &["Reclassification", "Accrual", "Rent", "Correction"],
        usual_amount: 1_800.0,
        spread: 1.2,
        hours: (8, 19),
        weekend_percent: 2,
        split_percent: 0,
    },
];

/// All accounts, each once.
pub(super) fn accounts() -> Vec<u32> {
    let mut accounts: Vec<u32> =
        PROCESSES.iter().flat_map(|process| process.debits.iter().chain(process.credits)).copied().collect();
    accounts.sort_unstable();
    accounts.dedup();
    accounts
}
