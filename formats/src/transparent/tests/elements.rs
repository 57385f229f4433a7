//! Receipts of other services: carried as long as it can be told whose they are.

use super::*;

fn attached(element: Vec<u8>) -> Result<AttachedReceipt, TransparentError> {
    let mut parsed = TransparentStatement::parse(&with_elements(vec![Value::Bytes(element)]))?;
    Ok(parsed.receipts.remove(0))
}

fn refused(element: &str) -> String {
    match attached(unhex(element)) {
        Err(TransparentError::NotReceipt { position: 0, why }) => why,
        other => panic!("{element}: {other:?}"),
    }
}

#[test]
fn foreign_receipts_are_carried() {
    for (element, kid) in [
        // Another tree (vds 2), another algorithm, kid of three bytes, attached payload.
        ("d2 84 4d a3 01 3822 04 43 010203 19018b 02 a0 41ff 41 00", "010203"),
        // Not deterministic, of indefinite length, with more labels than ours.
        ("d812 9f 5f 42 a104 42 4107 ff bf 01 02 ff f6 40 ff", "07"),
        // The label in a longer form is still the label.
        ("d2 84 45 a1 1804 41 05 a0 f6 40", "05"),
        // Kid and all in another order.
        ("d2 84 46 a2 04 4109 01 26 a0 f6 40", "09"),
    ] {
        let receipt = attached(unhex(element)).unwrap();
        assert_eq!((receipt.kid(), receipt.bytes()), (&unhex(kid)[..], &unhex(element)[..]));
        assert!(receipt.parse().is_err(), "it is not one of ours: {element}");
    }
}

#[test]
fn an_element_that_is_no_tagged_cose_sign1_is_refused() {
    assert_eq!(refused("84 44 a104 4109 a0 f6 40"), "it is not tag 18");
    assert_eq!(refused("d1 84 44 a104 4109 a0 f6 40"), "it is not tag 18");
    assert_eq!(refused("d2 a0"), "tag 18 must stand before an array");
    for element in [
        "d2 83 44 a104 4109 a0 f6",
        "d2 85 44 a104 4109 a0 f6 40 40",
        "d2 84 a1 04 4109 a0 f6 40",
        "d2 84 44 a104 4109 80 f6 40",
        "d2 84 44 a104 4109 a0 00 40",
        "d2 84 44 a104 4109 a0 f6 f6",
    ] {
        assert!(refused(element).starts_with("the array must hold"), "{element}");
    }
    for element in ["", "d2", "ff", "d2 84 44 a104 4109 a0 f6 40 00"] {
        assert!(refused(element).starts_with("offset "), "{element}");
    }
    let deep = format!("{}00", "81".repeat(17));
    assert!(refused(&deep).contains("more than 16"));
}

#[test]
fn an_element_needs_a_protected_kid() {
    assert_eq!(refused("d2 84 43 a1 01 26 a1 04 4109 f6 40"), "4 kid is missing");
    assert_eq!(refused("d2 84 41 a0 a0 f6 40"), "4 kid is missing");
    assert_eq!(refused("d2 84 41 80 a0 f6 40"), "the protected header must be a map");
    assert!(refused("d2 84 40 a0 f6 40").starts_with("offset "));
    assert_eq!(refused("d2 84 44 a1 04 6161 a0 f6 40"), "4 kid must be a byte string");
    // Twice, the second time in a longer form: whose it is cannot be told.
    assert_eq!(refused("d2 84 48 a2 04 4101 1804 4102 a0 f6 40"), "4 kid stands there twice");
}

#[test]
fn one_of_ours_in_another_encoding_keeps_its_kid_and_is_not_read() {
    let ours = receipt(1);
    let long_tag = [&[0xd8, 0x12], &ours[1..]].concat();
    let carried = attached(long_tag).unwrap();
    assert_eq!(carried.kid(), key(Curve::P256).public().thumbprint().as_bytes());
    assert!(carried.parse().is_err(), "a receipt under a key in force is read strictly");
}
