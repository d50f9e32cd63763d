use super::*;
use crate::note::SigningKey;
use crate::proof::inclusion;
use crate::tile::Tiles;
use crate::tree::Edge;
use crate::tree::tests::leaves;

const KEY: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const ORIGIN: &str = "PeterNeumann";

fn key() -> SigningKey {
    KEY.parse().unwrap()
}

fn receipt(size: u64, index: u64) -> Receipt {
    let mut edge = Edge::new();
    leaves(size).into_iter().for_each(|leaf| edge.push(leaf, &mut |_| ()));
    let tiles: Tiles = edge.partial_tiles().collect();
    let checkpoint = Checkpoint::new(ORIGIN, size, edge.root()).sign(&[&key()]).unwrap();
    Receipt { extra: None, index, path: inclusion(size, index, &tiles).unwrap(), checkpoint }
}

#[test]
fn a_receipt_looks_as_the_specification_says() {
    let receipt = receipt(3, 2);
    let expected = format!("c2sp.org/tlog-proof@v1\nindex 2\n{}\n\n{}", receipt.path[0], receipt.checkpoint);
    assert_eq!(receipt.text(), expected);
    let with_extra = Receipt { extra: Some(b"hello".to_vec()), ..receipt };
    assert!(with_extra.text().starts_with("c2sp.org/tlog-proof@v1\nextra aGVsbG8=\nindex 2\n"));
    assert_eq!(Receipt::parse(&with_extra.text()), Ok(with_extra));
}

#[test]
fn every_leaf_has_a_receipt_that_reads_back_and_verifies() {
    let keys = [key().vkey().clone()];
    for size in 1..20 {
        for index in 0..size {
            let receipt = receipt(size, index);
            assert_eq!(Receipt::parse(&receipt.text()).as_ref(), Ok(&receipt));
            let leaf = leaves(size)[index as usize];
            let signed = receipt.verify(leaf, ORIGIN, &keys).unwrap();
            assert_eq!((signed.checkpoint.size, &signed.by[..]), (size, &keys[..]));
        }
    }
}

#[test]
fn a_receipt_says_nothing_of_another_entry_log_or_key() {
    let (receipt, keys) = (receipt(9, 4), [key().vkey().clone()]);
    let leaf = leaves(9)[4];
    assert_eq!(receipt.verify(leaves(9)[5], ORIGIN, &keys), Err(ReceiptError::Proof(ProofError::NotProven)));
    let moved = Receipt { index: 9, ..receipt.clone() };
    assert_eq!(
        moved.verify(leaf, ORIGIN, &keys),
        Err(ReceiptError::Proof(ProofError::NoSuchLeaf { index: 9, size: 9 }))
    );
    assert!(matches!(receipt.verify(leaf, "other", &keys), Err(ReceiptError::Checkpoint(_))));
    assert!(matches!(receipt.verify(leaf, ORIGIN, &[]), Err(ReceiptError::Checkpoint(_))));
    let forged = Receipt { checkpoint: receipt.checkpoint.replace("\n9\n", "\n8\n"), ..receipt };
    assert!(matches!(forged.verify(leaf, ORIGIN, &keys), Err(ReceiptError::Checkpoint(_))));
}

#[test]
fn nothing_else_is_a_receipt() {
    let text = receipt(3, 2).text();
    let hash = receipt(3, 2).path[0].to_string();
    for (text, why) in [
        (String::new(), ReceiptError::NoCheckpoint),
        (text.replace("\n\n", "\n"), ReceiptError::NoCheckpoint),
        (text.replace("@v1", "@v2"), ReceiptError::Version),
        (format!("\n{text}"), ReceiptError::Version),
        (text.replace("index 2", "index 02"), ReceiptError::Index),
        (text.replace("index 2", "index -2"), ReceiptError::Index),
        (text.replace("index 2\n", ""), ReceiptError::Index),
        (text.replace("index 2", "extra #\nindex 2"), ReceiptError::Extra),
        (text.replace("index 2", "index 2\nextra aGVsbG8="), ReceiptError::Hash(3)),
        (text.replace(&hash, &hash[1..]), ReceiptError::Hash(3)),
        (text.replace(&hash, &format!("{hash}\r")), ReceiptError::Hash(3)),
    ] {
        assert_eq!(Receipt::parse(&text), Err(why), "{text}");
    }
}
