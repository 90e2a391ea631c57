//! "Did you mean": the nearest of the words that would have been right.

/// The known word that a mistyped one is nearest to, if any is near: about one letter in three may differ.
pub fn nearest<'w>(typed: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let typed: Vec<char> = typed.to_lowercase().chars().take(80).collect();
    let allowed = ((typed.len() + 1) / 3).clamp(1, 4);
    known
        .into_iter()
        .map(|word| (distance(&typed, &word.to_lowercase().chars().take(80).collect::<Vec<_>>()), word))
        .filter(|(distance, word)| *distance <= allowed && *distance < word.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// How many letters are to be added, dropped, changed or swapped with their neighbour (optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], index: usize| row.get(index).copied().unwrap_or(usize::MAX / 2);
            let mut cost = (at(&last, j) + usize::from(x != y)).min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                cost = cost.min(at(&before, j - 1) + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(a.len())
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_of_the_hand_finds_its_word() {
        let known = ["maria", "jon", "head-of-engineering"];
        assert_eq!(nearest("mria", known), Some("maria"));
        assert_eq!(nearest("amria", known), Some("maria"));
        assert_eq!(nearest("head-of-enginering", known), Some("head-of-engineering"));
        assert_eq!(nearest("JON", known), Some("jon"));
        assert_eq!(nearest("grupo", ["url", "group", "topics"]), Some("group"));
    }

    #[test]
    fn a_different_word_is_left_alone() {
        assert_eq!(nearest("zed", ["maria", "jon"]), None);
        assert_eq!(nearest("x", ["a", "b"]), None);
        assert_eq!(nearest("", ["a"]), None);
    }
}
