//! The word lists for the classification of messages.

use super::text::QUOTED;

/// Verbs that begin an instruction, with any object.
pub(super) const VERBS: &[&str] = &[
    "add", "put", "include", "throw", "chuck", "toss", "buy", "get", "take", "grab", "give", "remove", "delete",
    "discard", "uncart", "change", "make", "increase", "raise", "bump", "decrease", "reduce", "checkout", "pay",
    "confirm", "finish", "complete", "proceed", "replace", "swap", "choose", "select", "update", "place", "gimme",
    "exclude", "drop", "reorder", "undo",
];
/// Words that are verbs only with certain objects: "order two", but "order status".
pub(super) const NOUN_VERBS: &[&str] = &[
    "order", "purchase", "set", "double", "empty", "clear", "lower", "bag", "pop", "stick", "pick", "reserve", "move",
];
/// Words that follow such a word if it is a verb.
pub(super) const OBJECTS: &[&str] = &[
    "a", "an", "the", "this", "that", "these", "those", "it", "them", "my", "our", "both", "all", "everything", "me",
    "us", "another", "one", "ones", "each", "out", "now", "quantity", "qty", "cart", "basket", "trolley", "some",
    "up", "first", "second", "third", "last", "cheapest", "dearest", "dozen", "couple",
];
/// Idioms in which a verb has another meaning: "get lost", "take care", "make sense", "throw away".
pub(super) const OTHER_USE: &[(&str, &[&str])] = &[
    ("get", &[
        "lost", "out", "away", "off", "on", "up", "over", "well", "real", "back", "help", "used", "started", "going",
        "better", "bored", "moving", "stuffed", "a refund", "my money", "the refund", "in touch",
    ]),
    ("take", &[
        "care", "your", "away", "off", "after", "over", "part", "place", "note", "notes", "time", "it easy",
        "it slow", "it back", "a look", "a break", "a seat", "a guess", "a moment", "a second", "a minute", "a hike",
        "long", "forever", "ages", "turns", "place", "advantage", "offence", "offense", "it from", "it or", "my time",
        "me seriously", "that back", "it away", "that away", "them away", "them back",
    ]),
    ("give", &[
        "up", "me a second", "me a moment", "me a minute", "me a sec", "me a break", "me a reason", "me a hint",
        "me a discount", "me time", "me some time", "it a rest", "it a break", "it a try", "it a think", "me more",
        "me details", "me information", "me your", "me my money", "me advice", "me a clue", "me one reason",
        "me one second", "me one minute", "me one moment", "me five minutes", "me two minutes", "me a refund",
    ]),
    ("put", &[
        "up", "off", "down", "yourself", "simply", "differently", "another way", "it this way", "it another way",
        "on", "out", "back", "it back", "that back", "them back", "this back",
    ]),
    ("throw", &["pillow", "pillows", "blanket", "blankets", "rug", "up", "away", "it away", "them away"]),
    ("make", &[
        "sense", "sure", "up", "fun", "do", "me", "an effort", "an offer", "a complaint", "love", "peace", "out",
    ]),
    ("change", &["my order", "the address", "currency", "the currency", "language", "the language", "my card", "my phone", "my mind", "my address", "my password", "my name", "my email", "the subject", "the topic"]),
    ("set", &["of", "menu", "top"]),
    ("drop", &["it", "that", "the subject", "this", "by", "off", "in", "me", "shipping", "ship", "dead", "leaf"]),
    ("pay", &["attention", "back", "me", "you", "rise", "slip", "by", "with", "on", "via", "using", "cash", "later", "after"]),
    ("keep", &["in", "calm", "quiet", "going", "on", "away"]),
    ("place", &["mat", "mats", "holder", "holders", "card", "cards"]),
    ("add", &[
        "up", "on", "ons", "me", "a note", "a review", "a comment", "a coupon", "coupon", "a tip", "a message", "a rating", "a question",
        "my address", "my email", "my name", "my card", "my number", "my phone", "an address", "a card", "delivery instructions",
        "instructions", "gift wrap", "a photo", "photos", "promo", "a promo", "a discount", "discount",
    ]),
    ("buy", &["one get", "back", "now pay", "time"]),
    ("clear", &["customs", "up", "sky", "skies", "instructions"]),
    ("raise", &["a ticket", "a complaint", "an issue", "a concern", "a dispute", "your"]),
    ("remove", &[
        "stains", "stain", "dust", "rust", "odour", "odor", "odours", "odors", "scratches", "spots", "my account",
        "yourself", "my address", "my review", "my email", "my name", "my card", "me", "button",
    ]),
    ("delete", &["my account", "my data", "yourself", "my address", "my email"]),
    ("pick", &["up", "me up", "for me", "one", "any", "one for me"]),
    ("choose", &["for me", "one", "any", "all"]),
    ("select", &["for me", "one", "any", "all"]),
    ("double", &["check", "bed", "decker"]),
    ("finish", &["line"]),
    ("check", &[]),
    ("swap", &["meet"]),
    ("confirm", &["my address", "my email", "my account", "your"]),
    ("complete", &["set", "sets", "guide", "works"]),
    ("purchase", &["order", "history", "price", "protection", "invoice"]),
    ("order", &[
        "status", "history", "number", "id", "details", "tracking", "confirmation", "page", "total", "form", "date",
    ]),
];

/// Figures that cannot be changed in a chat.
pub(super) const FIGURES: &[&str] = &[
    "price", "prices", "pricing", "cost", "costs", "stock", "stocks", "inventory", "budget", "total", "subtotal",
    "rating", "ratings", "fee", "fees", "tax", "taxes",
];
/// Phrases for another place than the cart.
pub(super) const ELSEWHERE: &[&str] = &[
    "from me", "from us", "from another", "from someone", "from somebody", "from somewhere", "somewhere else",
    "elsewhere", "at another shop", "in another shop", "on my desk", "on the desk", "on my table", "on the table",
    "on my wall", "on the wall", "on my shelf", "on the shelf", "on the stove", "on my wishlist", "to my wishlist",
    "on my wish list", "to my wish list",
];
/// Words that restrict a preceding yes.
pub(super) const HEDGES: &[&str] = &["but", "though", "although", "however", "tho"];

/// Negations and words of withdrawal, without apostrophes.
pub(super) const NEGATIONS: &[&str] = &[
    "dont", "dnt", "donot", "dotn", "dnot", "dontt", "donnt", "doont", "dunt", "d0nt", "not", "nto", "never", "nver",
    "nevr", "neither", "nor", "none", "nothing", "nobody", "without", "cannot", "cant", "wont", "wouldnt", "shouldnt",
    "couldnt", "didnt", "doesnt", "isnt", "arent", "wasnt", "werent", "aint", "havent", "hasnt", "hadnt", "mustnt",
    "neednt", "mightnt", "shant", "avoid", "refrain", "quit", "cease", "skip", "hold", "forget", "ignore",
    "nevermind", "nvm", "neverming", "kidding", "joking", "jk", "hardly", "except", "excluding", "unwanted", "cancel",
    "leave",
    "abort", "nix", "refuse", "hate", "dislike", "regret", "against", "nahi", "nahin", "nahee", "nai", "naa", "मत",
    "नहीं", "नही", "ना", "न",
];
/// Phrases of negation or withdrawal.
pub(super) const NEGATION_PHRASES: &[&str] = &[
    "don t", "do nt", "can t", "won t", "doesn t", "didn t", "isn t", "mat karo", "mat karna", "mat daalo",
    "mat dalo", "mat daal", "mat dal", "mat hatao", "mat hata", "mat lo", "mat lena", "mat add", "mat remove",
    "mat kharido", "mana karo", "no longer", "no more", "no need", "no reason", "no way", "no intention", "no adding",
    "no buying", "no removing", "no to", "other than", "apart from", "anything but", "all but", "everything but",
    "changed my mind", "change my mind", "second thought", "second thoughts", "instead of", "rather than", "far from",
    "too expensive to", "leave it", "leave out", "let it be", "take it back", "scratch that", "scratch it", "strike that", "strike it", "scrap that", "scrap it",
    "rid of the idea", "in no case", "under no circumstances", "by no means", "on no account", "no one", "not yet",
    "wait with", "hang on", "just testing", "just a test",
];

/// Words that make a sentence hypothetical or place it at another time.
pub(super) const HYPOTHETICAL: &[&str] = &[
    "if", "iff", "suppose", "supposing", "supposed", "imagine", "assume", "assuming", "pretend", "whether", "unless",
    "might", "maybe", "mabye", "perhaps", "possibly", "could", "should", "thinking", "considering", "wondering",
    "wonder", "planning", "plan", "plans", "tempted", "unsure", "probably", "gonna", "until", "till", "whenever",
    "provided", "providing", "tomorrow", "tomorow", "tmrw", "tmr", "later", "tonight", "soon", "eventually",
    "someday", "sometime", "sometimes", "weekend", "afterwards", "monday", "tuesday", "wednesday", "thursday",
    "friday", "saturday", "sunday", "payday", "diwali", "christmas", "otherwise", "hypothetically", "theoretically",
    "hope", "hoping", "hopefully", "dream", "dreaming", "almost", "nearly", "think", "guess", "believe", "doubt",
    "consider", "considered", "decide", "usually", "always", "often", "tends", "tend", "someone", "somebody",
    "anyone", "anybody", "everyone", "everybody", "people", "customers", "yesterday", "ago", "already", "earlier",
    "before", "previously", "formerly", "agar", "shayad", "kal", "baad", "अगर", "शायद", "कल", "बाद",
];
/// Phrases that do the same.
pub(super) const HYPOTHETICAL_PHRASES: &[&str] = &[
    "going to", "about to", "as soon as", "as long as", "in case", "one day", "next week", "next month", "next year",
    "next time", "next day", "last week", "last month", "last year", "last time", "last night", "this morning",
    "some day", "in the future", "in future", "another day", "another time", "some other time", "for later",
    "after i", "after my", "after we", "after the sale", "before i", "before my", "lets say", "let us say", "say i",
    "i wish i", "i wish you", "i wish we", "as though", "used to", "how to", "what happens", "happens when",
    "wait for", "want to know", "like to know", "need to know", "the price drops", "in a week", "in an hour",
    "in a day", "in a month", "the other day", "in my dreams", "once i", "once you", "once it", "once the", "once my",
    "once we", "when i", "when it", "when the", "when my", "when you", "when they", "when we", "to be bought",
    "to be added", "to be removed", "for example", "such as", "for instance", "e g", "id add", "id buy", "id remove",
    "id order", "id put", "id get", "id take", "id have", "id never", "id rather", "would buy", "would add",
    "would remove", "would order", "would put", "would get", "would take", "would be", "would have", "would rather",
];

/// Words that begin a question.
pub(super) const QUESTIONS: &[&str] = &[
    "what", "whats", "which", "who", "whos", "whom", "whose", "when", "whens", "where", "wheres", "why", "whys",
    "how", "hows", "is", "are", "am", "was", "were", "does", "did", "has", "had", "can", "could", "will", "would",
    "should", "shall", "may", "might", "must", "isnt", "arent", "wasnt", "werent", "didnt", "doesnt", "wont",
    "wouldnt", "couldnt", "shouldnt", "hasnt", "havent", "hadnt", "cant", "wat", "wht", "hw", "kya", "kyu", "kyun",
    "kyon", "kab", "kaise", "kitna", "kitne", "kitni", "kaun", "kahan", "kaha", "क्या", "क्यों", "कब", "कैसे",
    "कितना", "कितने", "कौन", "कहाँ",
];
/// Words that begin a wish to see or know something.
pub(super) const LOOKS: &[&str] = &[
    "any", "anything", "curious", "explain", "tell", "describe", "show", "find", "search", "compare", "list", "browse",
    "look", "looking", "recommend", "suggest", "help", "see", "track", "teach", "remind",
];
/// Words after which "have", "do" and "dont" begin a question.
pub(super) const SUBJECTS: &[&str] =
    &[
    "i", "you", "u", "we", "they", "he", "she", "it", "the", "these", "those", "people", "your", "my",
];

/// Words of reported speech.
pub(super) const REPORTS: &[&str] = &[
    "said", "says", "told", "tells", "wrote", "writes", "asked", "asks", "shouted", "whispered", "suggested",
    "suggests", "recommended", "recommends", "mentioned", "mentions", "quoted", "quote", "typed", "reads", "written",
    "claimed", "insisted", "insists", "wants", "wanted", "likes", "needs", "saying", "telling", "asking",
];

/// Words before an instruction that do not change its meaning.
pub(super) const FILLERS: &[&str] = &[
    "please", "pls", "plz", "plse", "pleas", "kindly", "so", "and", "then", "now", "also", "well", "hi", "hello",
    "hey", "hiya", "yo", "ai", "buddy", "bot", "assistant", "great", "good", "perfect", "cool", "nice", "fine",
    "awesome", "lovely", "excellent", "wonderful", "thanks", "thank", "thx", "just", "simply", "quickly", "again",
    "next", "finally", "um", "uh", "hmm", "hm", "oh", "ah", "namaste", "sir", "madam", "bro", "dear", "friend",
    "very", "much", "lot", "alright", "right", "love", "man", "dude", "mate", "but", "plus", "too", "immediately",
    "definitely", "really", "ok", "okay", "k", "then", "morning", "evening", "afternoon", "there", ",", "lol", "haha",
    "today", "directly",
];
/// Words that say yes.
pub(super) const YES: &[&str] = &[
    "yes", "yess", "yeah", "yea", "yep", "yup", "ya", "yah", "yes", "sure", "ok", "okay", "k", "kk", "haan", "han",
    "ha", "ji", "absolutely", "definitely", "correct", "exactly", "certainly", "affirmative", "right", "fine",
    "perfect", "great", "alright", "confirm", "confirmed", "agreed", "aye", "indeed", "totally", "हाँ", "हां", "जी",
];
/// Complete answers that say yes.
pub(super) const YES_PHRASES: &[&str] = &[
    "go ahead", "do it", "please do", "do that", "do so", "sounds good", "sounds great", "that works", "works for me",
    "of course", "by all means", "go for it", "lets do it", "lets do that", "why not", "please", "that is right",
    "thats right", "thats correct", "make it so", "i do", "i am sure", "im sure", "you may", "you can", "yes i do",
    "yes you can", "yes you may", "yes i am", "yes i am sure", "yes im sure",
];
/// Words that may accompany a yes.
pub(super) const BESIDE_YES: &[&str] = &[
    "please", "pls", "plz", "do", "it", "that", "so", "now", "thanks", "thank", "you", "very", "much", "thx", "go",
    "ahead", "and", "the", "is", "thats", "good", "nice", "cool", "buddy", "sir", "madam", "bro", "just", "well",
    "oh", "of", "course", ",", "them", "i", "would", "like", "love", "all", "both", "one", "awesome", "am", "im",
    "lovely", "excellent",
];
/// Words that say no or withdraw what was just said.
pub(super) const NO: &[&str] = &[
    "no", "nope", "nah", "naw", "nay", "noo", "nop",
];
/// Words that begin a correction.
pub(super) const CORRECTS: &[&str] =
    &[
    "wait", "actually", "sorry", "oops", "rather", "correction", "mean", "meant", "ups", "whoops",
];

/// Words of a clause with its own verb, which is not a name.
pub(super) const CLAUSE_WORDS: &[&str] = &[
    "i", "im", "keep", "ill", "ive", "id", "you", "he", "she", "we", "they", "is", "are", "was", "were", "do", "does", "did",
    "has", "have", "had", "can", "could", "will", "would", "should", "may", "might", "be", "been", "looks", "seems",
    "who", "what", "which", "why", "how", "because", "than", "thanks", "thank", "want", "wants", "need", "needs",
    "added", "removed", "bought", "ordered", "got", "took", "said", "thing", "question", "thats", "its", "theyre", "youre", "hes", "shes", "hed", "theyd", "youd", "let", "lets", "see", "agree", "minute", "moment", "sec",
    "hour", "time", "day", "days", "problem", "reason", "idea",
];
/// Words for the past.
pub(super) const PAST: &[&str] = &[
    "added", "removed", "bought", "ordered", "took", "deleted", "emptied", "cleared", "dropped", "placed", "paid",
    "got", "gave", "wanted", "was", "were", "had", "did", "been", "purchased", "changed", "made", "kept", "tried",
    "went", "put",
];
/// Words that do not name a product on their own.
pub(super) const VAGUE: &[&str] = &[
    "something", "anything", "stuff", "things", "thing", "somethin", "whatever", "whichever", "or", "either",
    "similar",
];
/// Words for faults, or for the page itself.
pub(super) const FAULTS: &[&str] = &["button", "buttons", "fails", "failing", "failed", "error", "errors", "broken", "missing"];
/// Words that point at a product.
pub(super) const POINTERS: &[&str] = &[
    "it", "that", "them", "this", "these", "those",
];

/// Verbs at the end of an instruction in Hindi, in either script.
pub(super) const HINDI_VERBS: &[&str] = &[
    "daalo", "dalo", "daaldo", "daldo", "chahiye", "kharid", "kharido", "hata", "hatao", "hatado", "lelo", "lo",
    "mangta", "karo", "kardo", "do", "dedo", "rakho", "rakh", "nikalo", "nikaal", "jodo", "jod", "dijiye", "kijiye",
    "डालो", "डाल", "डालिए", "जोड़ो", "जोड़", "जोड़ें", "हटाओ", "हटा", "हटाइए", "चाहिए", "खरीदो", "खरीद", "लेलो",
    "निकालो", "निकाल", "रखो", "रख", "करो", "कीजिए", "दो", "दीजिए",
];
/// Other words of an instruction in Hindi.
pub(super) const HINDI_MARKS: &[&str] = &[
    "mein", "ko", "wala", "wali", "wale", "yeh", "woh", "mujhe", "meri", "mere", "mera", "kar", "daal", "dal", "hata",
    "nikal", "nikaal", "rakh", "aur", "में", "को", "वाला", "वाली", "मुझे", "मेरी", "मेरे", "और", "कर", "दो", "यह",
    "ये", "इसे",
];

/// The normalized form of a word: lower case, without apostrophes, and with repeated
/// letters ("nooo") reduced to one.
pub(super) fn plain(word: &str) -> String {
    let lower = word.to_lowercase();
    let letters: Vec<char> = lower.chars().filter(|c| !matches!(c, '\'' | '\u{2018}' | '`')).collect();
    let drawn = |at: usize| {
        let letter = letters[at];
        letter.is_alphabetic()
            && (0..=2).any(|before| {
                at >= before && (0..3).all(|n| letters.get(at - before + n).is_some_and(|other| *other == letter))
            })
    };
    let mut out = String::new();
    for (at, letter) in letters.iter().enumerate() {
        if !(drawn(at) && at > 0 && letters[at - 1] == *letter) {
            out.push(*letter);
        }
    }
    out
}

/// The meaning of a single sign.
pub(super) fn of_sign(sign: char) -> Option<&'static str> {
    match sign {
        '\u{1f44d}' | '\u{1f44c}' | '\u{2705}' | '\u{2714}' | '\u{1f64f}' => (sign != '\u{1f64f}').then_some("yes"),
        '\u{1f6ab}' | '\u{274c}' | '\u{1f645}' | '\u{1f44e}' | '\u{1f6d1}' | '\u{26d4}' | '\u{2716}' | '\u{270b}' => {
            Some("dont")
        }
        _ => None,
    }
}

/// Whether a text could be an instruction or an answer.
pub(super) fn instructs(text: &str) -> bool {
    let words = text.split(|c: char| !(c.is_alphanumeric() || c == '\'')).map(plain);
    let mut words = words.filter(|word| !word.is_empty() && word != QUOTED.to_string().as_str());
    words.any(|word| {
        let word = word.as_str();
        [VERBS, NOUN_VERBS, YES, HINDI_VERBS, &["check", "want", "need", "ill"]]
            .iter()
            .any(|words| words.contains(&word))
    })
}
