//! Names that are close to what was written, for "did you mean".

/// The one of `known` nearest to `written`, if it is near enough to be a slip of the finger.
pub(crate) fn nearest<'k>(written: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    // Long texts are no slips, and comparing them costs the product of their lengths.
    if written.len() > 64 {
        return None;
    }
    let near = |name: &&str| distance(written, name) <= (name.len() / 3).clamp(1, 3);
    known.into_iter().filter(near).min_by_key(|name| distance(written, name))
}

/// Letters to add, drop, change or swap with their neighbour (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let change = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = change.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_other_words_are_not() {
        let fields = ["image", "concurrency", "config", "to"];
        assert_eq!(nearest("imgae", fields), Some("image"));
        assert_eq!(nearest("concurency", fields), Some("concurrency"));
        assert_eq!(nearest("configs", fields), Some("config"));
        assert_eq!(nearest("placement", fields), None);
        assert_eq!(nearest("ot", fields), Some("to"));
    }
}
