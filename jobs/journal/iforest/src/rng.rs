//! The random numbers of one tree: a counter-based generator keyed by (seed, tree number).
//!
//! A shared stream would make a tree depend on which thread drew first; a key of its own makes every tree the same
//! wherever and whenever it is grown. SplitMix64 is small, passes BigCrush and is the same on every machine.

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

pub(crate) struct TreeRng {
    state: u64,
}

impl TreeRng {
    pub(crate) fn new(seed: u64, tree: usize) -> Self {
        // Both parts are mixed, so that neighbouring seeds and neighbouring trees share no stretch of the sequence.
        let tree = (tree as u64).wrapping_add(1).wrapping_mul(GOLDEN);
        Self { state: mix(mix(seed.wrapping_add(GOLDEN)) ^ mix(tree)) }
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mix(self.state)
    }

    /// A number in `0..limit`, each equally likely (Lemire 2019). `limit` must not be 0.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        let limit = limit as u64;
        let mut product = u128::from(self.next_u64()) * u128::from(limit);
        if (product as u64) < limit {
            let unfair = limit.wrapping_neg() % limit;
            while (product as u64) < unfair {
                product = u128::from(self.next_u64()) * u128::from(limit);
            }
        }
        (product >> 64) as usize
    }

    /// A number in `[0, 1)` with 53 random bits.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// A number of the normal distribution (Box and Muller); of each pair, one is enough.
    pub(crate) fn normal(&mut self) -> f32 {
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.unit()));
        (radius * libm::cos(std::f64::consts::TAU * self.unit())) as f32
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.next_u64() >> 63 == 1
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixes_as_the_published_splitmix64_does() {
        // The reference sequence of seed 1234567 (Vigna, splitmix64.c).
        let mut rng = TreeRng { state: 1_234_567 };

        let drawn = [rng.next_u64(), rng.next_u64(), rng.next_u64()];

        assert_eq!(drawn, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn gives_neighbouring_seeds_and_trees_different_numbers() {
        let mut first: Vec<u64> =
            (0..50).flat_map(|seed| (0..50).map(move |tree| TreeRng::new(seed, tree).next_u64())).collect();

        first.sort_unstable();
        first.dedup();

        assert_eq!(first.len(), 2_500);
    }

    #[test]
    fn normal_numbers_have_mean_nought_and_deviation_one() {
        let mut rng = TreeRng::new(7, 0);
        let drawn: Vec<f64> = (0..50_000).map(|_| f64::from(rng.normal())).collect();

        let mean = drawn.iter().sum::<f64>() / 50_000.0;
        let variance = drawn.iter().map(|value| value * value).sum::<f64>() / 50_000.0;

        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03, "{mean} {variance}");
    }

    #[test]
    fn draws_every_number_below_the_limit_about_equally_often() {
        let mut rng = TreeRng::new(7, 0);
        let mut counts = [0_u32; 5];

        for _ in 0..50_000 {
            counts[rng.below(5)] += 1;
        }

        assert!(counts.iter().all(|count| (9_600..10_400).contains(count)), "{counts:?}");
    }
}
