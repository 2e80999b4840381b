use super::*;

/// Bytes for a message of the length, which differ with its number.
fn payload(number: usize, len: usize) -> Bytes {
    (0..len).map(|at| (at + number) as u8).collect()
}

const SIZES: [usize; 9] = [0, 1, 5, 125, 126, 1000, 4096, 70_000, 3];

#[tokio::test(start_paused = true)]
async fn dropped_receives_lose_nothing() {
    for room in [1, 3, 64, 4096, 100_000] {
        for polls in 1..6 {
            within(receive_in_cuts(room, polls)).await;
        }
    }
}

/// Receives, where each receive is dropped when it was polled so often.
async fn receive_in_cuts(room: usize, polls: usize) {
    let (mut client, mut server) = pair(room);
    let send = tokio::spawn(async move {
        for (number, size) in SIZES.into_iter().enumerate() {
            server.feed(WsMessage::Ping(payload(number, 9))).await?;
            server.send(payload(number, size)).await?;
        }
        for number in 0..SIZES.len() {
            match server.receive().await {
                Ok(None) => panic!("closed before pong {number}"),
                Ok(Some(WsMessage::Pong(_))) => {}
                other => panic!("{other:?}"),
            }
            if number > 3 {
                break;
            }
        }
        Ok::<_, WsError>(())
    });
    let mut received = Vec::new();
    while received.len() < SIZES.len() {
        match cut(client.receive(), polls).await {
            Some(message) => received.push(message.expect("open").expect("open")),
            None => tokio::task::yield_now().await,
        }
    }
    for (number, (message, size)) in received.into_iter().zip(SIZES).enumerate() {
        assert_eq!(message, WsMessage::Binary(payload(number, size)));
    }
    send.abort();
}
