//! Counts the tests that really ran, from what the test programs print.

/// How many tests passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Tally {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
}

impl Tally {
    /// One thing that was checked.
    pub(crate) fn one(passed: bool) -> Self {
        Self { passed: u32::from(passed), failed: u32::from(!passed) }
    }

    /// The sum of the closing lines in `text`: cargo's `test result: ok. 12 passed; 0 failed; …` and the
    /// `# pass 12` of Node.js' test runner.
    pub(crate) fn read(text: &str) -> Self {
        let mut sum = Self::default();
        for line in text.lines() {
            if let Some(counts) = line.strip_prefix("test result: ") {
                sum.passed += number_before(counts, " passed");
                sum.failed += number_before(counts, " failed");
            } else if let Some(count) = line.strip_prefix("# pass ") {
                sum.passed += count.trim().parse().unwrap_or(0);
            } else if let Some(count) = line.strip_prefix("# fail ") {
                sum.failed += count.trim().parse().unwrap_or(0);
            }
        }
        sum
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

fn number_before(text: &str, word: &str) -> u32 {
    let before = text.find(word).map_or("", |at| &text[..at]);
    before.rsplit([' ', ';']).next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::Tally;

    /// The closing line of a run would tell a wrong number of tests if this failed.
    #[test]
    fn closing_lines_are_summed() {
        let text = "running 3 tests\ntest result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out\n\
                    test result: FAILED. 3 passed; 2 failed; 0 ignored\n# tests 5\n# pass 4\n# fail 1\n";
        assert_eq!(Tally::read(text), Tally { passed: 19, failed: 3 });
        assert_eq!(Tally::read("nothing"), Tally::default());
    }
}
