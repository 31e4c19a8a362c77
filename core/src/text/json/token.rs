//! Numbers and strings of JSON.

use core::fmt::{Result, Write};

use super::super::number::{
    Form, write_f32_scaled, write_f64_scaled, write_scaled, write_scaled_i64,
};
use crate::metric::Value;

/// Writes a value as a JSON number or `null`.
pub(super) fn write_value(out: &mut dyn Write, value: &Value<'_>, per: u32) -> Result {
    match value {
        Value::Unsigned(value) => write_scaled(out, *value, per),
        Value::Signed(value) => write_scaled_i64(out, *value, per),
        Value::F32(value) if value.is_finite() => write_f32_scaled(out, *value, per, Form::Short),
        Value::F64(value) if value.is_finite() => write_f64_scaled(out, *value, per, Form::Short),
        _ => out.write_str("null"),
    }
}

/// Writes a JSON string.
pub(super) fn write_string(out: &mut dyn Write, text: &str) -> Result {
    out.write_str("\"")?;
    let mut rest = text;
    while !rest.is_empty() {
        let is_special = |byte: u8| matches!(byte, b'"' | b'\\') || byte.is_ascii_control();
        let end = rest.bytes().position(is_special).unwrap_or(rest.len());
        let Some((plain, tail)) = rest.split_at_checked(end) else { break };
        out.write_str(plain)?;
        let mut tail = tail.chars();
        match tail.next() {
            Some('"') => out.write_str("\\\"")?,
            Some('\\') => out.write_str("\\\\")?,
            Some(control) => write_control(out, control)?,
            None => break,
        }
        rest = tail.as_str();
    }
    out.write_str("\"")
}

/// Writes an ASCII control character as an escape.
fn write_control(out: &mut dyn Write, control: char) -> Result {
    const HEX: [&str; 16] =
        ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "a", "b", "c", "d", "e", "f"];
    let code = control as usize;
    out.write_str("\\u00")?;
    out.write_str(HEX.get(code >> 4).copied().unwrap_or("0"))?;
    out.write_str(HEX.get(code & 15).copied().unwrap_or("0"))
}
