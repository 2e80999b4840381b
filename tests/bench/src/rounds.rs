//! Statistics of paired rounds: the median of per-round ratios and its bootstrap interval.

use crate::random::Random;

/// Resamples for the interval; its ends move by less than their last printed digit after this.
const RESAMPLES: usize = 2000;

/// A median of ratios with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ratio {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Ratio {
    /// Compares what `ours` cost with what `base` cost in the same rounds.
    ///
    /// # Panics
    ///
    /// When the two differ in length or are empty.
    pub(crate) fn of(ours: &[f64], base: &[f64], random: &mut Random) -> Self {
        assert_eq!(ours.len(), base.len(), "one cost per peer and round");
        let ratios: Vec<f64> = ours
            .iter()
            .zip(base)
            .map(|(ours, base)| ours / base)
            .collect();
        let mut medians: Vec<f64> = (0..RESAMPLES)
            .map(|_| median(&resample(&ratios, random)))
            .collect();
        medians.sort_unstable_by(f64::total_cmp);
        Self {
            median: median(&ratios),
            low: medians[RESAMPLES * 25 / 1000],
            high: medians[RESAMPLES * 975 / 1000],
        }
    }
}

/// Returns the middle value, or the mean of the two in the middle.
///
/// # Panics
///
/// When there are no values.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    }
}

fn resample(values: &[f64], random: &mut Random) -> Vec<f64> {
    values
        .iter()
        .map(|_| values[random.below(values.len())])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_median(values: &[f64], want: f64) {
        assert_eq!(median(values), want, "{values:?}");
    }

    #[test]
    fn median_is_the_middle() {
        check_median(&[3.0], 3.0);
        check_median(&[9.0, 1.0, 2.0], 2.0);
        check_median(&[4.0, 1.0, 2.0, 100.0], 3.0);
    }

    #[test]
    fn a_constant_ratio_has_no_width() {
        let base: Vec<f64> = (1..=60).map(f64::from).collect();
        let twice: Vec<f64> = base.iter().map(|cost| cost * 2.0).collect();
        let want = Ratio {
            median: 2.0,
            low: 2.0,
            high: 2.0,
        };
        assert_eq!(Ratio::of(&twice, &base, &mut Random::seeded(7)), want);
    }

    #[test]
    fn rounds_are_compared_in_pairs() {
        // Each round is ten times dearer than the last; the ratio within a round is not.
        let base = [1.0, 10.0, 100.0, 1000.0];
        let ours = [1.5, 15.0, 150.0, 1500.0];
        assert_eq!(Ratio::of(&ours, &base, &mut Random::seeded(7)).high, 1.5);
    }

    #[test]
    fn the_interval_holds_the_median_and_ignores_one_outlier() {
        let base = vec![1.0; 60];
        let mut ours: Vec<f64> = (0..60)
            .map(|round| 1.0 + f64::from(round % 7) / 100.0)
            .collect();
        ours[13] = 50.0;
        let ratio = Ratio::of(&ours, &base, &mut Random::seeded(7));
        assert!(
            ratio.low <= ratio.median && ratio.median <= ratio.high,
            "{ratio:?}"
        );
        assert!(ratio.low >= 1.0 && ratio.high <= 1.06, "{ratio:?}");
    }
}
