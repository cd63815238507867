//! Where a number is going: the line through several samples of it.

/// The fewest samples of which a trend is told.
const SAMPLES_MIN: usize = 4;

/// Of the steps between samples, so many in a hundred must not fall.
const RISING_PERCENT: usize = 75;

/// Of all that it grew, one step is not more than this: what grows by one jump does not grow on.
const JUMP_PERCENT: f64 = 70.0;

/// A number that grows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Growth {
    /// How much in a second.
    pub(super) per_sec: f64,
    /// How much over all samples.
    pub(super) total: f64,
    /// Between the first sample and the last.
    pub(super) secs: f64,
}

/// Whether a number grows steadily, by samples of seconds and values in the order of time: most steps rise, no single one
/// makes all the difference, and the line of least squares rises by at least `least` over all samples.
pub(super) fn growth(samples: &[(f64, f64)], least: f64) -> Option<Growth> {
    let (Some((begun, lowest)), Some((ended, highest))) = (samples.first(), samples.last()) else { return None };
    let secs = ended - begun;
    if samples.len() < SAMPLES_MIN || secs <= 0.0 {
        return None;
    }
    let steps = samples.iter().zip(samples.iter().skip(1)).map(|((_, before), (_, after))| after - before);
    let rising = steps.clone().filter(|step| 0.0 <= *step).count();
    if rising * 100 < (samples.len() - 1) * RISING_PERCENT {
        return None;
    }
    if (highest - lowest) * JUMP_PERCENT < steps.fold(0.0, f64::max) * 100.0 {
        return None;
    }
    let per_sec = slope(samples)?;
    let total = per_sec * secs;
    (least <= total).then_some(Growth { per_sec, total, secs })
}

#[expect(clippy::cast_precision_loss, reason = "nobody takes 2^52 samples")]
fn slope(samples: &[(f64, f64)]) -> Option<f64> {
    let count = samples.len() as f64;
    let mean_time = samples.iter().map(|(time, _)| time).sum::<f64>() / count;
    let mean_value = samples.iter().map(|(_, value)| value).sum::<f64>() / count;
    let both: f64 = samples.iter().map(|(time, value)| (time - mean_time) * (value - mean_value)).sum();
    let spread: f64 = samples.iter().map(|(time, _)| (time - mean_time).powi(2)).sum();
    (0.0 < spread).then(|| both / spread)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(values: &[f64]) -> Vec<(f64, f64)> {
        (0_u32..).map(|at| f64::from(at) * 2.0).zip(values.iter().copied()).collect()
    }

    #[test]
    fn only_what_grows_steadily_and_enough_is_a_growth() {
        for (name, values, grows) in [
            ("a line", &[10.0, 20.0, 30.0, 40.0][..], true),
            ("a line with a dip", &[10.0, 22.0, 20.0, 40.0, 50.0], true),
            ("too little", &[10.0, 10.5, 11.0, 11.5], false),
            ("flat", &[10.0, 10.0, 10.0, 10.0], false),
            ("falling", &[40.0, 30.0, 20.0, 10.0], false),
            ("up and down", &[10.0, 40.0, 10.0, 40.0, 10.0], false),
            ("too few", &[10.0, 40.0, 80.0], false),
            ("one jump", &[10.0, 10.0, 10.0, 40.0, 40.0], false),
            ("one jump at the end", &[10.0, 10.0, 10.0, 10.5, 60.0], false),
            ("one jump and hardly more", &[10.0, 12.0, 40.0, 40.0, 41.0], false),
            ("in bursts", &[10.0, 10.0, 30.0, 30.0, 50.0, 50.0], true),
            ("none", &[], false),
        ] {
            assert_eq!(growth(&samples(values), 5.0).is_some(), grows, "{name}");
        }
        let line = growth(&samples(&[10.0, 20.0, 30.0, 40.0]), 5.0).unwrap();
        assert!(
            (line.per_sec - 5.0).abs() < 1e-9 && (line.total - 30.0).abs() < 1e-9 && (line.secs - 6.0).abs() < 1e-9
        );
        assert_eq!(growth(&[(1.0, 1.0), (1.0, 2.0), (1.0, 3.0), (1.0, 4.0)], 0.0), None);
    }
}
