//! Names: from identifiers, from templates, and whether they are allowed.
//!
//! The rules are those of `tapes_core::name`, which checks again at compile time; here they give
//! an error at the place where the name was written.

/// Longest name of a metric, in bytes.
const METRIC_LEN_MAX: usize = 128;

/// Longest name of a label, in bytes.
const LABEL_LEN_MAX: usize = 64;

/// Longest value of a label, in bytes.
const VALUE_LEN_MAX: usize = 128;

/// Names of labels that exporters need for themselves.
const RESERVED_LABELS: [&str; 5] = ["device", "le", "quantile", "job", "instance"];

/// What stands for a name in a template.
pub(crate) const PLACE: &str = "{}";

/// What is wrong with a name.
pub(crate) type Reason = &'static str;

/// Returns an identifier in snake case: `HTTPError2Seen` becomes `http_error2_seen`.
pub(crate) fn snake_case(identifier: &str) -> String {
    let letters: Vec<char> = identifier.trim_start_matches("r#").chars().collect();
    let mut snake = String::new();
    for (i, &letter) in letters.iter().enumerate() {
        if letter.is_uppercase() && i > 0 {
            let before = letters[i - 1];
            let acronym_ends = before.is_uppercase()
                && letters.get(i + 1).is_some_and(|after| after.is_lowercase());
            if before.is_lowercase() || before.is_numeric() || acronym_ends {
                snake.push('_');
            }
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

/// Returns whether the name of a metric is allowed.
pub(crate) fn check_metric(name: &str) -> Result<(), Reason> {
    if name.split('.').any(str::is_empty) && !name.is_empty() {
        return Err("name has an empty segment");
    }
    check(name, METRIC_LEN_MAX, ['_', '-', '.'].as_slice())
}

/// Returns whether the name of a label is allowed.
pub(crate) fn check_label(name: &str) -> Result<(), Reason> {
    if RESERVED_LABELS.contains(&name) {
        return Err("name is reserved");
    }
    check(name, LABEL_LEN_MAX, ['_'].as_slice())
}

/// Returns whether the value of a label is allowed.
pub(crate) fn check_value(value: &str) -> Result<(), Reason> {
    match value.len() {
        0 => Err("a label without a value is the same as no label"),
        len if len > VALUE_LEN_MAX => Err("a label's value has at most 128 bytes"),
        _ => Ok(()),
    }
}

fn check(name: &str, len_max: usize, others: &[char]) -> Result<(), Reason> {
    let Some(first) = name.chars().next() else { return Err("name is empty") };
    if name.len() > len_max {
        Err("name is too long")
    } else if first.is_ascii_digit() {
        Err("name begins with a digit")
    } else if name.starts_with("__") {
        Err("name is reserved")
    } else if !name.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(&c)) {
        Err("name has a character that is not allowed")
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A derived name would change with the spelling of an acronym.
    #[test]
    fn snake_case_keeps_acronyms_and_digits_together() {
        for (identifier, snake) in [
            ("UserEndpoint", "user_endpoint"),
            ("HTTPServer", "http_server"),
            ("ServerHTTP", "server_http"),
            ("I2cBus", "i2c_bus"),
            ("Motor2Fault", "motor2_fault"),
            ("Rs485", "rs485"),
            ("Over_Temp", "over_temp"),
            ("ADC", "adc"),
            ("X", "x"),
            ("r#Type", "type"),
            ("already_snake", "already_snake"),
        ] {
            assert_eq!(snake_case(identifier), snake, "{identifier}");
        }
    }

    /// A name that core refuses would be reported without its place.
    #[test]
    fn the_rules_are_those_of_core() {
        use tapes_core::name;
        let long = ["a".repeat(64), "a".repeat(65), "a".repeat(128), "a".repeat(129)];
        let names = [
            "", "a", "a.b", ".a", "a.", "a..b", ".", "1a", "a.1", "__a", "a__b", "_a", "a-b",
            "a b", "a:b", "µ", "device", "le", "quantile", "job", "instance", "axis",
        ];
        for name in names.into_iter().chain(long.iter().map(String::as_str)) {
            let core = name::check_metric_name(name).map_err(name::NameError::reason);
            assert_eq!(check_metric(name), core, "{name:?}");
            let core = name::check_label_name(name).map_err(name::NameError::reason);
            assert_eq!(check_label(name).is_ok(), core.is_ok(), "{name:?}");
        }
        let longest = "v".repeat(name::LABEL_VALUE_LEN_MAX);
        assert_eq!(check_value(&longest), Ok(()));
        assert!(check_value(&(longest + "v")).is_err());
    }
}
