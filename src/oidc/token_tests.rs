//! Tokens as real keys sign them: the one that is right, and everything that is wrong with one.

use super::keys::Keys;
use super::refused::Unfit;
use super::token::{Expected, subject};
use crate::people::{Mac, OidcLogin};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair,
};
use serde_json::{Value, json};

const NOW: i64 = 1_795_000_000;

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn ec(algorithm: &'static EcdsaSigningAlgorithm) -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &random).unwrap()
}

fn ec_jwk(key: &EcdsaKeyPair, (kid, curve): (&str, &str)) -> Value {
    let point = key.public_key().as_ref();
    let (x, y) = point[1..].split_at(point.len() / 2);
    json!({"kty": "EC", "crv": curve, "kid": kid, "use": "sig", "x": encoded(x), "y": encoded(y)})
}

fn login(claim: &str) -> OidcLogin {
    OidcLogin {
        issuer: "https://id.example".to_owned(),
        client_id: "sickbay".to_owned(),
        client_secret: None,
        scopes: vec!["openid".to_owned()],
        claim: claim.to_owned(),
        name: "id.example".to_owned(),
        ca: None,
        redirect_url: "https://sickbay.example/login/oidc/callback".to_owned(),
    }
}

fn claims(changes: &Value) -> Value {
    let mut claims = json!({
        "iss": "https://id.example", "aud": "sickbay", "sub": "248289", "exp": NOW + 300, "iat": NOW - 1,
        "nonce": "the-nonce", "email": "ada@example.org", "email_verified": true,
    });
    claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}", encoded(header.to_string()), encoded(claims.to_string()))
}

fn signed(key: &EcdsaKeyPair, header: &Value, claims: &Value) -> String {
    let text = unsigned(header, claims);
    let signature = key.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
    format!("{text}.{}", encoded(signature))
}

fn keys(all: &[Value]) -> Keys {
    Keys::read(json!({"keys": all}).to_string().as_bytes()).unwrap()
}

fn told(token: &str, keys: &Keys, claim: &str) -> Result<String, Unfit> {
    subject(token, keys, &Expected { login: &login(claim), nonce: "the-nonce", now: NOW })
}

#[test]
fn a_token_is_believed_only_if_everything_in_it_fits() {
    let key = ec(&ECDSA_P256_SHA256_FIXED_SIGNING);
    let keys = keys(&[ec_jwk(&key, ("k1", "P-256"))]);
    let header = json!({"alg": "ES256", "kid": "k1", "typ": "JWT"});
    let told = |changes: &Value, claim: &str| told(&signed(&key, &header, &claims(changes)), &keys, claim);
    for (changes, claim, want) in [
        (json!({}), "sub", "248289"),
        (json!({}), "email", "ada@example.org"),
        (json!({"aud": ["sickbay"], "azp": "sickbay"}), "sub", "248289"),
        (json!({"exp": NOW - 59}), "sub", "248289"),
        (json!({"iat": NOW + 60, "nbf": NOW + 60}), "sub", "248289"),
    ] {
        assert_eq!(told(&changes, claim).as_deref(), Ok(want), "{changes}");
    }
    for (changes, claim, want) in [
        (json!({"iss": "https://id.example/"}), "sub", Unfit::Issuer),
        (json!({"iss": "https://evil.example"}), "sub", Unfit::Issuer),
        (json!({"iss": null}), "sub", Unfit::Unreadable),
        (json!({"aud": "another"}), "sub", Unfit::Audience),
        (json!({"aud": []}), "sub", Unfit::Audience),
        (json!({"aud": ["sickbay", "another"]}), "sub", Unfit::Audience),
        (json!({"aud": ["sickbay", "another"], "azp": "sickbay"}), "sub", Unfit::Audience),
        (json!({"azp": "another"}), "sub", Unfit::Audience),
        (json!({"aud": null}), "sub", Unfit::Unreadable),
        (json!({"exp": NOW - 60}), "sub", Unfit::Expired),
        (json!({"exp": null}), "sub", Unfit::Unreadable),
        (json!({"exp": "never"}), "sub", Unfit::Unreadable),
        (json!({"iat": NOW + 61}), "sub", Unfit::Early),
        (json!({"iat": null}), "sub", Unfit::Unreadable),
        (json!({"nbf": NOW + 61}), "sub", Unfit::Early),
        (json!({"nonce": "another"}), "sub", Unfit::Nonce),
        (json!({"nonce": null}), "sub", Unfit::Nonce),
        (json!({"sub": null}), "sub", Unfit::Claim),
        (json!({"sub": ""}), "sub", Unfit::Claim),
        (json!({"sub": 248_289}), "sub", Unfit::Claim),
        (json!({"sub": "a".repeat(256)}), "sub", Unfit::Claim),
        (json!({}), "preferred_username", Unfit::Claim),
        (json!({"email": null}), "email", Unfit::Claim),
        (json!({"email_verified": false}), "email", Unfit::Unverified),
        (json!({"email_verified": null}), "email", Unfit::Unverified),
        (json!({"email_verified": "true"}), "email", Unfit::Unverified),
    ] {
        assert_eq!(told(&changes, claim), Err(want), "{changes} {claim}");
    }
}

#[test]
fn only_a_key_of_the_provider_signs_and_only_in_its_own_way() {
    let (key, other, large) = (
        ec(&ECDSA_P256_SHA256_FIXED_SIGNING),
        ec(&ECDSA_P256_SHA256_FIXED_SIGNING),
        ec(&ECDSA_P384_SHA384_FIXED_SIGNING),
    );
    let jwk = ec_jwk(&key, ("k1", "P-256"));
    let published = keys(&[jwk.clone(), ec_jwk(&large, ("k2", "P-384")), json!({"kty": "new"}), json!("odd")]);
    let header = |alg: &str, kid: Option<&str>| json!({"alg": alg, "kid": kid});
    let whole = claims(&json!({}));
    let good = signed(&key, &header("ES256", Some("k1")), &whole);
    assert_eq!(told(&good, &published, "sub").as_deref(), Ok("248289"));
    assert!(told(&signed(&large, &header("ES384", Some("k2")), &whole), &published, "sub").is_ok());
    assert!(told(&signed(&key, &header("ES256", None), &whole), &published, "sub").is_ok(), "there is one such key");
    let by_secret = |alg: &str, secret: &[u8]| {
        let text = unsigned(&header(alg, Some("k1")), &whole);
        let mac = hex::decode(Mac::of(secret, &[text.as_bytes()]).hex()).unwrap();
        format!("{text}.{}", encoded(mac))
    };
    let (head, rest) = good.split_once('.').unwrap();
    let (_, signature) = rest.split_once('.').unwrap();
    let altered = format!("{head}.{}.{signature}", encoded(claims(&json!({"sub": "1"})).to_string()));
    let none = unsigned(&header("none", None), &whole);
    let critical = signed(&key, &json!({"alg": "ES256", "kid": "k1", "crit": ["b64"], "b64": false}), &whole);
    let own_key = signed(&other, &json!({"alg": "ES256", "jwk": ec_jwk(&other, ("k1", "P-256"))}), &whole);
    for (what, token, want) in [
        ("nothing", String::new(), Unfit::Unreadable),
        ("no token", "a.b".to_owned(), Unfit::Unreadable),
        ("too long", format!("{good}{}", "A".repeat(40_000)), Unfit::Unreadable),
        ("alg none", format!("{none}."), Unfit::Algorithm),
        ("alg None", format!("{}.", unsigned(&header("None", Some("k1")), &whole)), Unfit::Algorithm),
        ("HS256 with the public key", by_secret("HS256", key.public_key().as_ref()), Unfit::Algorithm),
        ("HS256 with the published key", by_secret("HS256", jwk.to_string().as_bytes()), Unfit::Algorithm),
        ("RS256 with a key of another kind", signed(&key, &header("RS256", Some("k1")), &whole), Unfit::Key),
        ("ES384 with a key of another kind", signed(&key, &header("ES384", Some("k1")), &whole), Unfit::Key),
        ("an unknown key", signed(&other, &header("ES256", Some("k9")), &whole), Unfit::Key),
        ("another key under its name", signed(&other, &header("ES256", Some("k1")), &whole), Unfit::Signature),
        ("a key that it brings along", own_key, Unfit::Signature),
        ("other claims", altered, Unfit::Signature),
        ("no signature", format!("{}.", good.rsplit_once('.').unwrap().0), Unfit::Signature),
        ("something that must be understood", critical, Unfit::Unreadable),
    ] {
        assert_eq!(told(&token, &published, "sub"), Err(want), "{what}");
    }
    let two = keys(&[jwk.clone(), ec_jwk(&other, ("k2", "P-256"))]);
    assert_eq!(told(&signed(&key, &header("ES256", None), &whole), &two, "sub"), Err(Unfit::Key), "which of them?");
    for (what, value) in [("use", "enc"), ("alg", "ES384"), ("x", "AAAA"), ("crv", "P-521"), ("kty", "oct")] {
        let mut changed = jwk.clone();
        changed[what] = json!(value);
        assert_eq!(told(&good, &keys(&[changed]), "sub"), Err(Unfit::Key), "{what} {value}");
    }
}

#[test]
fn edwards_keys_sign_too() {
    let random = SystemRandom::new();
    let pair = Ed25519KeyPair::from_pkcs8(Ed25519KeyPair::generate_pkcs8(&random).unwrap().as_ref()).unwrap();
    let published = keys(&[json!({"kty": "OKP", "crv": "Ed25519", "kid": "e", "x": encoded(pair.public_key())})]);
    let text = unsigned(&json!({"alg": "EdDSA", "kid": "e"}), &claims(&json!({})));
    let token = format!("{text}.{}", encoded(pair.sign(text.as_bytes())));
    assert_eq!(told(&token, &published, "sub").as_deref(), Ok("248289"));
}

#[test]
fn rsa_keys_sign_too_and_the_example_of_the_standard_verifies() {
    // RFC 7515, appendix A.2: header, payload, signature and key.
    let key = json!({"kty": "RSA", "e": "AQAB", "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-\
        Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSH\
        SXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWN\
        moudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"});
    let signed = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb2\
                  90Ijp0cnVlfQ";
    let signature = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbd\
        s9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN938\
        3LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVm\
        tVrBp0igcN_IoypGlUPQGe77Rw";
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let published = keys(&[key]);
    assert_eq!(published.prove(("RS256", None), (signed.as_bytes(), &signature)), Ok(()));
    assert_eq!(published.prove(("PS256", None), (signed.as_bytes(), &signature)), Err(Unfit::Signature));
    assert_eq!(published.prove(("RS512", None), (signed.as_bytes(), &signature)), Err(Unfit::Signature));
    let cut = signed.trim_end_matches('Q').as_bytes();
    assert_eq!(published.prove(("RS256", None), (cut, &signature)), Err(Unfit::Signature));
}
