//! Tables without borders, as wide as they need to be: they are read, grepped and cut.

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, Width, presets};
use lattice_core::one_line;

/// How a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    /// Texts.
    Left,
    /// Numbers.
    Right,
}

/// A table with a header row; `rows` have as many cells as there are `columns`.
pub(crate) fn table<R, C>(columns: &[(&str, Align)], rows: R) -> String
where
    R: IntoIterator<Item = C>,
    C: IntoIterator<Item = String>,
{
    let mut table = plain();
    table.set_header(columns.iter().map(|(name, _)| name.to_uppercase()));
    let cells = |row: C| row.into_iter().map(|cell| one_line(&cell).into_owned()).collect::<Vec<_>>();
    table.add_rows(rows.into_iter().map(cells));
    for (index, (_, align)) in columns.iter().enumerate() {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(match align {
                Align::Left => CellAlignment::Left,
                Align::Right => CellAlignment::Right,
            });
        }
    }
    finish(table)
}

/// Two columns, names and values, without a header.
pub(crate) fn pairs<'a>(rows: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let mut table = plain();
    table.add_rows(rows.into_iter().map(|(name, value)| [name.to_owned(), one_line(&value).into_owned()]));
    if let Some(names) = table.column_mut(0) {
        names.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(12)));
    }
    finish(table)
}

/// A title in the middle of `width` characters.
pub(crate) fn centred(title: &str, width: usize) -> String {
    let before = width.saturating_sub(title.chars().count()) / 2;
    format!("{}{title}", " ".repeat(before))
}

fn plain() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table
}

/// Without blanks at line ends, which every diff and golden file would show.
fn finish(mut table: Table) -> String {
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_nothing_trails() {
        let rows = [("a", "1"), ("bcd", "20")].map(|(name, n)| [name.to_owned(), n.to_owned()]);
        let text = table(&[("name", Align::Left), ("replicas", Align::Right)], rows);
        assert_eq!(text, "NAME  REPLICAS\na            1\nbcd         20");
        assert_eq!(pairs([("Issuer", "A…".to_owned())]), "Issuer      A…");
    }
}
