//! Every scheme × mode × identity policy of Key Agreement, and what comes of it: the table, and what plays it over any two
//! providers.

use crate::rows::{End, Pinned};
use crate::support::{Parley, fields};
use dynamic_key::crypto::Signer;
use dynamic_key::crypto::software::PinnedKey;
use dynamic_key::scheme::Scheme;
use dynamic_key::session::Mode;
use dynamic_key::{Code, Error, Peer};

use Mode::Confirmed;

/// Client's mode, scheme accepted, server's identity, client's pins: what comes of it, an agreement or an error.
type Row = (Mode, &'static [bool], &'static [bool], &'static [Pinned], Result<(), Error>);

const ANY: &[bool] = &[true, false];
const PINS: &[Pinned] = &[Pinned::Nobody, Pinned::Another, Pinned::TheGateway];
const NO_SCHEME: Result<(), Error> = Err(Error::Refused(Code::NoCommonScheme));
const UNSIGNED: Result<(), Error> = Err(Error::Peer(Peer::Downgrade));
const IMPOSTOR: Result<(), Error> = Err(Error::Peer(Peer::Authentication));

/// The table. Each case has exactly one row.
const ROWS: &[Row] = &[
    (Confirmed, &[true], ANY, PINS, Ok(())),
    (Confirmed, &[false], ANY, PINS, NO_SCHEME),
    (Mode::Pinned, &[true], &[true], &[Pinned::TheGateway], Ok(())),
    (Mode::Pinned, &[true], &[true], &[Pinned::Nobody, Pinned::Another], IMPOSTOR),
    (Mode::Pinned, &[true], &[false], PINS, UNSIGNED),
    (Mode::Pinned, &[false], ANY, PINS, NO_SCHEME),
];

/// Plays every case of these schemes; `stranger` is a key of nobody here. Returns how many.
pub(crate) fn agree(client: &impl End, gateway: &impl End, schemes: &[Scheme], stranger: PinnedKey) -> usize {
    let mut played = 0;
    for scheme in schemes {
        for mode in [Confirmed, Mode::Pinned] {
            for accepted in [true, false] {
                for identity in [true, false] {
                    for pinned in PINS {
                        let case = format!("{scheme} {mode:?} {accepted} {identity} {pinned:?}");
                        let has = |row: &&Row| {
                            row.0 == mode
                                && row.1.contains(&accepted)
                                && row.2.contains(&identity)
                                && row.3.contains(pinned)
                        };
                        let rows: Vec<&Row> = ROWS.iter().filter(has).collect();
                        let [row] = rows[..] else { panic!("{} rows for {case}", rows.len()) };
                        let (mut signer, key) = gateway.signer();
                        let pins: &[PinnedKey] = match pinned {
                            Pinned::Nobody => &[],
                            Pinned::Another => &[stranger],
                            Pinned::TheGateway => &[stranger, key],
                        };
                        let others = Scheme::BY_STRENGTH.into_iter().filter(|other| other != scheme);
                        let parley = Parley {
                            mode,
                            scheme: *scheme,
                            accepted: &if accepted { vec![*scheme] } else { others.collect() },
                        };
                        let (mut device, mut server) = (client.provider(), gateway.provider());
                        let mut verifier = client.verifier(Vec::leak(pins.to_vec()));
                        let signer = Some(&mut signer as &mut dyn Signer).filter(|_| identity);
                        let mut accord = parley.agree((&mut device, &mut verifier), (&mut server, signer));
                        if let Ok(accord) = &mut accord {
                            assert_eq!(accord.0.scheme(), *scheme, "{case}");
                            fields(accord, &mut device, &mut server).unwrap();
                        }
                        assert_eq!(accord.map(drop), row.4, "{case}");
                        drop((device, server));
                        client.check(&case);
                        gateway.check(&case);
                        played += 1;
                    }
                }
            }
        }
    }
    played
}
