//! Base64 against `base64ct`, in both directions, copied and in place.
#![no_main]

use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use dynamic_key::codec::BufferTooSmall;
use dynamic_key::codec::base64::{self, Base64Error};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let (at, input) = input.split_first().map_or((0, input), |(at, rest)| (usize::from(*at), rest));
    encodes(input, at);
    decodes(input);
    // Some text that is nearly right: what the input encodes to, with one character changed.
    let mut text = Base64::encode_string(input).into_bytes();
    if let (Some(place), Some(byte)) = (at.checked_rem(text.len()), input.last()) {
        text[place] = *byte;
        decodes(&text);
    }
});

fn encodes(input: &[u8], at: usize) {
    let theirs = Base64::encode_string(input);
    let needed = theirs.len();
    assert_eq!(base64::encoded_len(input.len()), needed);
    let mut out = vec![0; needed];
    assert_eq!(base64::encode(input, &mut out), Ok(&*theirs));
    if needed > 0 {
        assert_eq!(base64::encode(input, &mut out[..needed - 1]), Err(BufferTooSmall { needed }));
    }

    let end = at + needed;
    let mut buffer = vec![b'#'; end.max(input.len()) + 1];
    let room = buffer.len() - 1;
    buffer[..input.len()].copy_from_slice(input);
    assert_eq!(base64::encode_in_place(&mut buffer[..room], input.len(), at), Ok(end));
    assert_eq!(&buffer[at..end], theirs.as_bytes());
    assert_eq!(buffer[room], b'#');
    if let Some(short) = room.checked_sub(1) {
        let error = base64::encode_in_place(&mut buffer[..short], input.len(), at);
        assert_eq!(error, Err(BufferTooSmall { needed: room }));
    }

    let theirs = Base64UrlUnpadded::encode_string(input);
    let needed = theirs.len();
    assert_eq!(base64::url_encoded_len(input.len()), needed);
    let mut out = vec![0; needed];
    assert_eq!(base64::url_encode(input, &mut out), Ok(&*theirs));
    if needed > 0 {
        assert_eq!(base64::url_encode(input, &mut out[..needed - 1]), Err(BufferTooSmall { needed }));
    }
}

fn decodes(text: &[u8]) {
    let theirs = str::from_utf8(text).ok().and_then(|text| Base64::decode_vec(text).ok());
    let mut out = vec![0; base64::decoded_len_bound(text.len())];
    assert_eq!(base64::decode(text, &mut out).ok(), theirs.as_deref());
    let mut in_place = text.to_vec();
    let length = base64::decode_in_place(&mut in_place);
    assert_eq!(length.ok().map(|length| &in_place[..length]), theirs.as_deref());
    if let Some(bytes) = &theirs {
        // Exactly as much room as there are bytes, and not one less.
        assert_eq!(base64::decode(text, &mut out[..bytes.len()]), Ok(&**bytes));
        if let Some(short) = bytes.len().checked_sub(1) {
            let error = Base64Error::BufferTooSmall(BufferTooSmall { needed: bytes.len() });
            assert_eq!(base64::decode(text, &mut out[..short]), Err(error));
        }
        let mut again = vec![0; text.len()];
        assert_eq!(base64::encode(bytes, &mut again).map(str::as_bytes), Ok(text), "canonical");
    }

    // The same text in the other alphabet: `url_decode` takes it if and only if base64 does, padded.
    let swap = |character: &u8| match character {
        b'+' => b'-',
        b'-' => b'+',
        b'/' => b'_',
        b'_' => b'/',
        other => *other,
    };
    let url: Vec<u8> = text.iter().map(swap).collect();
    let padding = match text.len() % 4 {
        2 => "==",
        3 => "=",
        _ => "",
    };
    let padded =
        str::from_utf8(text).ok().filter(|text| !text.contains('=')).map(|text| [text, padding].concat());
    let expected = padded.and_then(|text| Base64::decode_vec(&text).ok());
    assert_eq!(base64::url_decode(&url, &mut out).ok(), expected.as_deref());
}
