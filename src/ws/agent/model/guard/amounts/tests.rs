use super::*;

fn found(text: &str) -> Vec<u64> {
    amounts(&text.to_lowercase()).into_iter().map(|amount| amount.unwrap_or(0)).collect()
}

#[test]
fn amounts_are_found_in_any_notation() {
    for text in [
        "It is ₹499.50.",
        "It is **₹ 499.50** now",
        "Rs.499.50 only",
        "Rs 499.5!",
        "INR 499.50",
        "499.50 rupees",
        "(499.50 INR)",
        "499.50/- rs",
        "$499.50",
        "US$499.50",
        "499.50 USD each",
        "price: 499.50",
        "It costs just 499.50",
        "The total comes to 499.50",
        "`499.50` `₹`",
    ] {
        assert_eq!(found(text), [49_950], "{text}");
    }
    assert_eq!(found("₹1,29,999 and Rs 1,299.00"), [12_999_900, 129_900]);
    assert_eq!(found("₹200–₹500"), [20_000, 50_000]);
    assert_eq!(found("between ₹200-500"), [20_000, 50_000]);
    assert_eq!(found("200 to 500 rupees"), [20_000, 50_000]);
    assert_eq!(found("₹1.5k or 2 lakh rupees"), [150_000, 20_000_000]);
}

#[test]
fn unreadable_amounts_are_found_as_well() {
    for text in ["₹499.999", "five hundred rupees", "₹५००", "₹99999999999999999999"] {
        assert_eq!(found(text), [0], "{text}");
    }
}

#[test]
fn other_numbers_are_not_amounts() {
    for text in [
        "I found 3 mugs of 350 ml",
        "Add 2 to the cart?",
        "total 2 items",
        "a discount of 10 percent",
        "The iPhone 15 and mp3 player",
        "offers 5 colours",
        "4.5 stars from 20 people",
    ] {
        assert_eq!(found(text), [0_u64; 0], "{text}");
    }
}

#[test]
fn stock_is_found() {
    assert_eq!(stocks("only 3 left, and 12 pieces in stock"), [Some(300), Some(1_200)]);
    assert_eq!(stocks("stock: 7. 2 mugs"), [Some(700)]);
    assert_eq!(stocks("two left of 350 ml"), []);
}
