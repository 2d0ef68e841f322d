//! Which secrets are easy to guess: repeated, or made of the words that stand in examples. No dictionary of a
//! library: a secret of 32 bytes that a person wrote into a file is a placeholder far more often than a word.

/// What placeholders are made of, besides digits and rows of keys.
const WORDS: [&str; 57] = [
    "admin",
    "api",
    "app",
    "auth",
    "bazaar",
    "bit",
    "bits",
    "byte",
    "bytes",
    "change",
    "default",
    "demo",
    "dev",
    "development",
    "dummy",
    "env",
    "example",
    "for",
    "here",
    "hs",
    "in",
    "insecure",
    "it",
    "jsonwebtoken",
    "jwt",
    "key",
    "local",
    "long",
    "market",
    "me",
    "micro",
    "microbazaar",
    "my",
    "pass",
    "passphrase",
    "passw",
    "password",
    "phrase",
    "placeholder",
    "please",
    "private",
    "prod",
    "production",
    "replace",
    "sample",
    "secret",
    "secure",
    "shop",
    "sign",
    "signing",
    "string",
    "super",
    "test",
    "this",
    "token",
    "very",
    "your",
];
/// Rows of keys, forwards.
const ROWS: [&str; 4] = ["qwertyuiop", "asdfghjkl", "zxcvbnm", "1q2w3e4r5t6y"];
/// How many different characters a secret has at least.
const DIFFERENT_MIN: usize = 6;
/// How many characters have to be left without words and sequences.
const LEFT_MIN: usize = 6;

/// Whether a secret is a repeated pattern, a sequence, or words out of examples.
pub(super) fn is_guessable(secret: &str) -> bool {
    let typed: Vec<char> = secret.to_lowercase().chars().collect();
    let is_letter = |c: &char| c.is_alphanumeric() || "@$".contains(*c);
    // Case and separators make no secret.
    let (text, symbols): (Vec<char>, Vec<char>) = typed.iter().partition(|c| is_letter(c));
    let mut different = typed.clone();
    different.sort_unstable();
    different.dedup();
    let others = symbols.iter().filter(|symbol| !" -_.,:;/+=".contains(**symbol)).count();
    let is_mostly_text = text.len() * 2 >= typed.len();
    different.len() < DIFFERENT_MIN
        || repeats(&typed)
        || (is_mostly_text && repeats(&text))
        || left_of(&text) + others < LEFT_MIN
}

/// Whether the text is one pattern at least twice, the last time perhaps in part.
fn repeats(text: &[char]) -> bool {
    (1..=text.len() / 2).any(|length| text.iter().zip(text.iter().skip(length)).all(|(one, other)| one == other))
}

/// How many characters belong neither to a known word nor to a sequence such as `1234`, `aaaa` or `fedc`, at the least.
fn left_of(text: &[char]) -> usize {
    let rows = ROWS.iter().flat_map(|row| (4..=row.len()).map(|length| &row[..length]));
    let words: Vec<&str> = WORDS.into_iter().chain(rows).collect();
    // Of the text from each place to its end.
    let mut left = vec![0; text.len() + 1];
    for at in (0..text.len()).rev() {
        let rest = &text[at..];
        let follows = rest.get(1).is_some_and(|next| u32::from(rest[0]).abs_diff(u32::from(*next)) <= 1);
        let behind_words = words.iter().filter(|word| starts_with(rest, word)).map(|word| left[at + word.len()]);
        left[at] = behind_words.chain([left[at + 1] + usize::from(!follows)]).min().unwrap_or_default();
    }
    left.first().copied().unwrap_or_default()
}

/// Whether the text starts with the word, also as it is written with digits for letters: `p4ssw0rd`.
fn starts_with(text: &[char], word: &str) -> bool {
    let is_same = |(typed, meant): (&char, char)| *typed == meant || plain(*typed) == plain(meant);
    text.len() >= word.len() && text.iter().zip(word.chars()).all(is_same)
}

const fn plain(c: char) -> char {
    match c {
        '0' => 'o',
        '1' | 'l' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_sequences_and_placeholders_are_guessable() {
        for secret in [
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "XxXxXxXxXxXxXxXxXxXxXxXxXxXxXxXx",
            "secretsecretsecretsecretsecretse",
            "changeme-changeme-changeme-changeme",
            "Kw9!xQ2#Kw9!xQ2#Kw9!xQ2#Kw9!xQ2#",
            "7f3a9c51d2e84b60\t7f3a9c51d2e84b60",
            "secret00000000000000000000000000000",
            "password123456789012345678901234567890",
            "p4ssw0rd-p@ssword-PASSWORD-passw0rd",
            "your-256-bit-secret-key-for-jwt-signing",
            "my-super-secret-jwt-key-change-me-in-production",
            "this_is_a_very_long_secret_key_please_change_it",
            "0123456789abcdef0123456789abcdef",
            "abcdefghijklmnopqrstuvwxyz0123456789",
            "qwertyuiopasdfghjklzxcvbnm1234567890",
            "microbazaar-jwt-secret-microbazaar-2026",
            "--------------------------------",
            "äääääääääääääääääääää",
        ] {
            assert!(is_guessable(secret), "{secret}");
        }
    }

    #[test]
    fn what_was_made_at_random_or_as_a_passphrase_is_not() {
        for secret in [
            "correct-horse-battery-staple-0123456789",
            "a secret of thirty-two bytes, or so",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "83920174650291837465019283746501",
            "pMp0R6VQp9oZcXbqk1fN8x3dY2uLwT7e",
            "gk$2!vL)w^8zQ@n*5Rf(y&7Hb%1Jc#0Xd",
        ] {
            assert!(!is_guessable(secret), "{secret}");
        }
        for _ in 0..2_000 {
            let random = rand::random::<[u8; 16]>();
            assert!(!is_guessable(&hex::encode(random)), "{random:?}");
            let digits: String = (0..32).map(|_| char::from(b'0' + rand::random::<u8>() % 10)).collect();
            assert!(!is_guessable(&format!("x{digits}")), "{digits}");
        }
    }
}
