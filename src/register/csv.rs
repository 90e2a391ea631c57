//! Tables as other programs open them: comma-separated values (RFC 4180) in which no cell is a formula. What stands in
//! the cells is not known here.

/// What some spreadsheet may take for the end of a cell, whatever the quotes say: a comma is the sign of some countries only.
const ENDS: [char; 5] = [';', '|', '\t', '\r', '\n'];

/// The line that a row of cells makes, its line end included.
///
/// Every cell is in quotes. A cell that a spreadsheet would run (CWE-1236; OWASP, CSV Injection) gets an apostrophe in
/// front; so does what follows a `;`, a `|`, a tab or a line end inside of it, and what begins with an apostrophe itself.
/// So whoever reads it back takes one apostrophe away at each of these places where there is one.
pub fn row<'c>(cells: impl IntoIterator<Item = &'c str>) -> String {
    let mut row = String::new();
    for cell in cells {
        if !row.is_empty() {
            row.push(',');
        }
        row.push('"');
        for (i, piece) in cell.split_inclusive(ENDS).enumerate() {
            if needs_apostrophe(piece, i == 0) {
                row.push('\'');
            }
            row.push_str(&piece.replace('"', "\"\""));
        }
        row.push('"');
    }
    row.push_str("\r\n");
    row
}

/// Whether a piece of a cell could be taken for a formula, or for one that was made inert.
fn needs_apostrophe(piece: &str, is_first: bool) -> bool {
    // A quote would be stripped by whoever does not see the cell's own.
    let first = piece.trim_start_matches([' ', '"', '\u{a0}', '\u{feff}']).chars().next();
    first.is_some_and(|first| {
        matches!(first, '=' | '+' | '-' | '@' | '\'' | '\u{ff1d}' | '\u{ff0b}' | '\u{ff0d}' | '\u{ff20}')
            || (is_first && first.is_control())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader of RFC 4180, which knows nothing of apostrophes.
    fn cells(text: &str) -> Vec<Vec<String>> {
        let (mut rows, mut row, mut cell, mut is_quoted) = (Vec::new(), Vec::new(), String::new(), false);
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match (is_quoted, c) {
                (true, '"') if chars.peek() == Some(&'"') => cell.extend(chars.next()),
                (_, '"') => is_quoted = !is_quoted,
                (false, ',') => row.push(std::mem::take(&mut cell)),
                (false, '\r') => {}
                (false, '\n') => {
                    row.push(std::mem::take(&mut cell));
                    rows.push(std::mem::take(&mut row));
                }
                (_, c) => cell.push(c),
            }
        }
        rows
    }

    /// A value as it was, by the rule of the documentation.
    fn original(cell: &str) -> String {
        let pieces = cell.split_inclusive(ENDS);
        pieces.map(|piece| piece.strip_prefix('\'').unwrap_or(piece)).collect()
    }

    #[test]
    fn h_45_no_cell_begins_as_a_formula_and_every_value_reads_back() {
        let tails = ["1+1", "cmd|' /C calc'!A0", "SUM(A1:A2)\",\"x\n"];
        let values: Vec<String> = ['=', '+', '-', '@', '\t', '\r', '\n', '\0']
            .iter()
            .flat_map(|start| tails.map(|tail| format!("{start}{tail}")))
            .collect();
        assert_eq!(values.len(), 24);
        let written: String = values.iter().map(|value| row(["id", value, ""])).collect();
        let read = cells(&written);
        assert_eq!(read.len(), 24);
        for (value, row) in values.iter().zip(&read) {
            assert_eq!(row.len(), 3);
            assert!(row[1].starts_with('\''), "{value:?}");
            assert_eq!(&original(&row[1]), value);
        }
    }

    #[test]
    fn h_45_no_formula_begins_behind_a_sign_that_ends_a_cell_elsewhere() {
        for (value, written) in [
            ("x;=1+1;y", "x;'=1+1;y"),
            ("x; \"=1", "x;' \"=1"),
            ("x\t@SUM(A1)", "x\t'@SUM(A1)"),
            ("x\r\n-1", "x\r\n'-1"),
            ("x|'quoted'", "x|''quoted'"),
            ("First.\n\nSecond; third", "First.\n\nSecond; third"),
        ] {
            let read = cells(&row([value]));
            assert_eq!((read[0][0].as_str(), original(&read[0][0]).as_str()), (written, value));
        }
    }

    #[test]
    fn h_45_blanks_and_wide_signs_hide_no_formula_and_plain_cells_stay_plain() {
        for value in [" =1", "\u{a0}@x", "\u{feff}=1", "\u{ff1d}1+1", "\u{ff0b}1", "\u{ff0d}1", "\u{ff20}x", "'=1", "'"]
        {
            let read = cells(&row([value]));
            assert!(read[0][0].starts_with('\'') && original(&read[0][0]) == value, "{value:?}");
        }
        for value in ["", "CISA", "a=b", "https://a.example/?x=1", "2027-02-03", "a \"b\", c", "it's"] {
            assert_eq!(cells(&row([value])), [[value]]);
        }
    }
}
