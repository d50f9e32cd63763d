//! Times the forest on a table of raw 32-bit floats, row by row, for each set of instructions that the processor has and each number of threads asked for;
//! prints a line of JSON for each. `benches/forest/speed` runs it beside scikit-learn on the same table.
//!
//!     forest-bench TABLE.f32 COLUMNS [--reps 3] [--threads 1,2] [--seed 7] [--block ROWS]

#![expect(clippy::unwrap_used, reason = "a benchmark that is called wrongly may say so in any way")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::time::Instant;

use iforest::{Instructions, IsolationForest, Scoring};
use linfa::DatasetBase;
use linfa::traits::Fit;
use ndarray::Array2;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let option = |name: &str, default: &str| {
        let at = args.iter().position(|arg| arg == name);
        at.map_or(default.to_string(), |at| args[at + 1].clone())
    };
    let (path, columns): (&str, usize) = (&args[1], args[2].parse().unwrap());
    let reps: usize = option("--reps", "3").parse().unwrap();
    let seed: u64 = option("--seed", "7").parse().unwrap();
    let default = Scoring::default();
    let block_rows = option("--block", &default.block_rows.to_string()).parse().unwrap();

    let table = read(path, columns);
    let loaded = peak_kib();
    for threads in option("--threads", "1,2").split(',') {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.parse().unwrap()).build().unwrap();
        for instructions in Instructions::ALL.into_iter().filter(|instructions| instructions.available()) {
            let (mut fits, mut scores, mut hash) = (Vec::new(), Vec::new(), 0);
            for _ in 0..reps {
                pool.install(|| {
                    let begun = Instant::now();
                    let params = IsolationForest::params().seed(seed);
                    let forest = params.fit(&DatasetBase::from(table.view())).unwrap();
                    fits.push(begun.elapsed().as_secs_f64());
                    let begun = Instant::now();
                    let found =
                        forest.score_samples_with(&table, Scoring { block_rows, instructions }).unwrap();
                    scores.push(begun.elapsed().as_secs_f64());
                    hash = found
                        .iter()
                        .flat_map(|score| score.to_bits().to_le_bytes())
                        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
                        });
                });
            }
            println!(
                r#"{{"instructions":"{instructions:?}","threads":{threads},"fit_s":{fits:?},"score_s":{scores:?},"hash":"{hash:016x}","extra_mib":{:.1}}}"#,
                (peak_kib() - loaded) as f64 / 1024.0
            );
        }
    }
}

fn read(path: &str, columns: usize) -> Array2<f32> {
    let bytes = std::fs::read(path).unwrap();
    let values: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    drop(bytes);
    // What reading took beside the table is given back, so that the peak counts from the table on.
    std::fs::write("/proc/self/clear_refs", "5").ok();
    Array2::from_shape_vec((values.len() / columns, columns), values).unwrap()
}

/// The most memory this process has held.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}
