use ring::rand::SystemRandom;

use super::*;
use crate::tree::Hash;

const LOG: &str = "example.com/log";

fn key() -> SigningKey {
    SigningKey::generate(LOG, &SystemRandom::new()).unwrap()
}

fn at(size: u64) -> Checkpoint {
    Checkpoint::new(LOG, size, Hash([7; 32]))
}

fn handed(size: u64, from: &SigningKey, to: &SigningKey) -> Handover {
    let note = hand_over(at(size), from, to).unwrap();
    Handover::of(&note).expect("a hand-over").unwrap()
}

#[test]
fn both_keys_sign_one_checkpoint_that_names_them() {
    let (old, new) = (key(), key());
    let note = hand_over(at(9), &old, &new).unwrap();

    let told = Handover::of(&note).unwrap().unwrap();

    assert_eq!(told, Handover { size: 9, from: old.vkey().clone(), to: new.vkey().clone() });
    // To whoever knows one of the keys, and nothing of hand-overs, it is a checkpoint.
    for known in [old.vkey(), new.vkey()] {
        assert_eq!(Checkpoint::open(&note, LOG, std::slice::from_ref(known)).unwrap().checkpoint.size, 9);
    }
    assert_eq!(Handover::of(&at(9).sign(&[&old]).unwrap()), None);
}

#[test]
fn a_hand_over_that_one_of_them_has_not_signed_is_none() {
    let (old, new, other) = (key(), key(), key());
    let line = |from: &SigningKey, to: &SigningKey| format!("{LINE}{} {}", from.vkey(), to.vkey());
    let signed = |lines: &[String], keys: &[&SigningKey]| {
        let mut checkpoint = at(9);
        checkpoint.extensions = lines.to_vec();
        Handover::of(&checkpoint.sign(keys).unwrap()).expect("one is meant").unwrap_err()
    };
    for (lines, keys, problem) in [
        (vec![line(&old, &new)], vec![&old], HandoverError::Unsigned),
        (vec![line(&old, &new)], vec![&new], HandoverError::Unsigned),
        (vec![line(&old, &new)], vec![&old, &other], HandoverError::Unsigned),
        (vec![line(&old, &old)], vec![&old], HandoverError::Same),
        (vec![line(&old, &new), line(&old, &other)], vec![&old, &new], HandoverError::Line),
        (vec![format!("{LINE}{}", new.vkey())], vec![&old, &new], HandoverError::Line),
    ] {
        assert_eq!(signed(&lines, &keys), problem, "{lines:?}");
    }
    let foreign = SigningKey::generate("example.com/other", &SystemRandom::new()).unwrap();
    assert_eq!(signed(&[line(&old, &foreign)], &[&old, &foreign]), HandoverError::Name);
    // One that was signed, and whose line was changed afterwards.
    let note = hand_over(at(9), &old, &new).unwrap();
    let forged = note.replace(&new.vkey().to_string(), &other.vkey().to_string());
    assert_eq!(Handover::of(&forged).unwrap(), Err(HandoverError::Unsigned));
}

#[test]
fn whoever_believes_one_key_believes_the_chain_each_for_its_time() {
    let (one, two, three, other) = (key(), key(), key(), key());
    let all = vec![handed(20, &two, &three), handed(10, &one, &two)];
    for believed in [&one, &two, &three] {
        let (chain, forks) = Chain::of(&[believed.vkey().clone()], all.clone());
        assert!(forks.is_empty());
        assert_eq!(chain.keys().len(), 3);
        assert_eq!(chain.successor(one.vkey()), Some(two.vkey().to_string().as_str()));
        assert_eq!(chain.successor(three.vkey()), None);
        let standing = |size, key: &SigningKey| chain.standing(size, &[key.vkey().clone()]);
        for (size, key) in [(1, &one), (10, &one), (10, &two), (20, &two), (20, &three), (99, &three)] {
            assert_eq!(standing(size, key), Standing::InOffice, "{size}");
        }
        let name = |key: &SigningKey| key.vkey().to_string();
        assert_eq!(standing(11, &one), Standing::After { key: name(&one), size: 10, to: name(&two) });
        assert_eq!(standing(21, &two), Standing::After { key: name(&two), size: 20, to: name(&three) });
        assert_eq!(standing(5, &other), Standing::Unknown);
        // One in office is enough, whoever else has signed.
        assert_eq!(chain.standing(11, &[one.vkey().clone(), two.vkey().clone()]), Standing::InOffice);
    }
    let (chain, _) = Chain::of(&[one.vkey().clone()], all);
    let early = chain.standing(5, &[two.vkey().clone()]);
    assert_eq!(early, Standing::Before { key: two.vkey().to_string(), size: 10 });
}

#[test]
fn a_key_that_hands_over_twice_is_told_and_strangers_lead_nowhere() {
    let (one, two, thief, stranger) = (key(), key(), key(), key());
    let twice = vec![handed(10, &one, &two), handed(15, &one, &thief), handed(3, &stranger, &thief)];

    let (chain, forks) = Chain::of(&[one.vkey().clone()], twice);

    let name = |key: &SigningKey| key.vkey().to_string();
    assert_eq!(forks, [Fork { key: name(&one), at: [10, 15], to: [name(&two), name(&thief)] }]);
    assert_eq!(chain.standing(16, &[thief.vkey().clone()]), Standing::Unknown);
    assert_eq!(chain.keys(), [one.vkey().clone(), two.vkey().clone()]);
    // The same one is in the database and in each anchor.
    let same = vec![handed(10, &one, &two); 3];
    assert_eq!(Chain::of(&[one.vkey().clone()], same).1, []);
}
