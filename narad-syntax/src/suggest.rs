//! "Did you mean": the known word that is nearest to a misspelt one.

/// Of the letters of the shorter word every third may be wrong, but no more than so many.
const MOST_WRONG: usize = 4;

/// The known word that was probably meant, if one is near enough; capitals count as small letters.
///
/// ```
/// assert_eq!(narad_syntax::suggest::nearest("concurency", ["ordering", "concurrency"]), Some("concurrency"));
/// assert_eq!(narad_syntax::suggest::nearest("colour", ["ordering", "concurrency"]), None);
/// ```
pub fn nearest<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let lower = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|&(distance, candidate)| {
            distance <= (candidate.len().min(word.len()) / 3).clamp(1, MOST_WRONG)
        })
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// `, did you mean X?`, or nothing.
pub fn hint<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> String {
    nearest(word, known).map_or_else(String::new, |near| format!(", did you mean {near}?"))
}

/// What is said of a word that is none of those that are accepted; `what` names it in the sentence.
pub fn unknown(what: &str, word: &str, accepted: &[&str]) -> String {
    let hint = match nearest(word, accepted.iter().copied()) {
        Some(near) => format!("did you mean `{near}`? "),
        None => String::new(),
    };
    format!("unknown {what}; {hint}accepted: {}", list(accepted))
}

/// The words as they stand in a sentence.
pub fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// How many letters to insert, delete, replace or swap.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                let nearest = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                if swapped { nearest.min(rows[i - 2][j - 2] + 1) } else { nearest }
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_offered_and_a_far_one_is_not() {
        let options = ["topic", "topics", "timeout", "concurrency", "type"];
        for (written, meant) in [
            ("topc", Some("topic")),
            ("concurency", Some("concurrency")),
            ("Type", Some("type")),
            ("colour", None),
            ("x", None),
        ] {
            assert_eq!(nearest(written, options), meant, "{written}");
        }
        let variables = ["NARAD_ENV", "NARAD_HTTP", "NARAD_GROUPS"];
        assert_eq!(hint("NARAD_EVN", variables), ", did you mean NARAD_ENV?");
        assert_eq!(nearest("NARAD_PASSWORD", variables), None);
    }

    #[test]
    fn a_swap_is_one_step() {
        assert_eq!(distance("retires", "retries"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
    }
}
