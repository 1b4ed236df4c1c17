//! Who is revoked is not only refused: the connection that he has ends.

use lattice_nats::{ConnectError, Connection};

use super::{Own, WITHIN, done, serve};

#[tokio::test]
async fn who_is_revoked_loses_the_connection_that_is_there() {
    let own = Own::set().await;
    let _plant = serve(&own.root.join("sites/plant")).await;
    let (stage, dir) = (&own.stage, own.dir());
    done(stage, &["nats", "user", "add", &dir, "vera", "--role", "viewer"]).await;
    let join = async |url: &str, user: &str, lattice: &str| {
        Connection::connect(own.login(url, user, lattice), WITHIN).await
    };
    let vera = join(&own.hub, "vera", "default").await.unwrap();
    let steers = join(&own.hub, "operator", "default").await.unwrap();
    let there = join(&own.plant, "plant-operator", "plant").await.unwrap();

    let said = done(stage, &["nats", "user", "revoke", &dir, "vera", "plant-operator"]).await;
    assert!(said.contains("plant"), "the site's server has to be told by itself: {said}");
    until_ended(&vera).await;
    // Who was not revoked notices nothing.
    assert!(steers.is_connected());
    steers.round_trip(WITHIN).await.unwrap();

    done(stage, &["nats", "push", &dir, "--nats-url", &own.plant]).await;
    until_ended(&there).await;
    for (url, user, lattice) in [
        (&own.hub, "vera", "default"),
        (&own.hub, "plant-operator", "plant"),
        (&own.plant, "vera", "default"),
    ] {
        let error = join(url, user, lattice).await.unwrap_err();
        assert!(matches!(error, ConnectError::Refused { .. }), "{user} at {url}: {error:?}");
    }
    assert!(!vera.is_connected() && !there.is_connected(), "nor do they come back by themselves");
}

async fn until_ended(connection: &Connection) {
    let mut connected = connection.connected();
    tokio::time::timeout(WITHIN, connected.wait_for(|connected| !connected)).await.unwrap().unwrap();
}
