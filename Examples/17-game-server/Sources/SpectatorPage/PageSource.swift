// SPDX-License-Identifier: Apache-2.0
// PageSource: the page in the browser: a canvas and a table. Names go into it as text, never as HTML.

let spectatorHTML = """
    <!doctype html>
    <html lang="en">
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width">
    <title>Skirmish, live</title>
    <link rel="icon" href="data:,">
    <style>
      body { background: #0c101c; color: #d8e0f0; font: 16px/1.4 system-ui, sans-serif; margin: 0 auto; max-width: 960px; padding: 16px }
      h1 { font-size: 20px; margin: 0 0 8px }
      canvas { display: block; width: 100%; background: #060912; border-radius: 6px }
      #line { margin: 8px 0; color: #8fa3c8 }
      table { border-collapse: collapse; width: 100% }
      th, td { text-align: left; padding: 4px 8px; border-bottom: 1px solid #1f2942 }
      th:nth-child(n+2), td:nth-child(n+2) { text-align: right; font-variant-numeric: tabular-nums }
      .bot { color: #8fa3c8 }
    </style>
    <h1>Skirmish</h1>
    <canvas id="arena" width="960" height="540"></canvas>
    <p id="line">Connecting</p>
    <table><thead><tr><th>Player</th><th>Lives</th><th>Points</th></tr></thead><tbody id="players"></tbody></table>
    <script src="/spectator.js"></script>
    </html>
    """

let spectatorScript = """
    "use strict";
    const paint = document.getElementById("arena").getContext("2d");
    const line = document.getElementById("line");
    const colours = ["#6ee7ff", "#ffd166", "#9bff8a", "#ff8ad8", "#b39bff", "#ffa36e", "#7dffd4", "#f5f58a"];
    const kinds = {
      chaser: ["#ff5a5f", 9], orbiter: ["#ff9f43", 10], splitter: ["#c850ff", 18],
      shot: ["#ffffff", 2.5], hostileShot: ["#ff5a5f", 3.5], cell: ["#4dff9b", 6]
    };
    let view = null;

    function disc(x, y, radius, colour) {
      paint.fillStyle = colour;
      paint.beginPath();
      paint.arc(x, y, radius, 0, 2 * Math.PI);
      paint.fill();
    }

    function draw() {
      paint.clearRect(0, 0, 960, 540);
      if (!view) return;
      disc(480, 270, 26, view.beacon > 20 ? "#3a86ff" : "#ff5a5f");
      disc(480, 270, 18, "#0c1730");
      paint.fillStyle = "#d8e0f0";
      paint.textAlign = "center";
      paint.font = "14px system-ui, sans-serif";
      paint.fillText(view.beacon, 480, 275);
      for (const [kind, x, y] of view.things) disc(x, y, kinds[kind][1], kinds[kind][0]);
      for (const [seat, x, y] of view.ships) disc(x, y, 11, colours[seat % colours.length]);
      // Over all the ships: no ship covers another one's name.
      paint.fillStyle = "#d8e0f0";
      for (const [seat, x, y] of view.ships) {
        const player = view.standing.players.find(player => player.seat === seat);
        if (player) paint.fillText(player.name, x, y - 18);
      }
    }

    function cell(text) {
      const made = document.createElement("td");
      made.textContent = text;
      return made;
    }

    function tell() {
      const standing = view.standing;
      const words = {lobby: "Waiting for players", playing: "Match " + standing.match + ", wave " + standing.wave, over: "Match " + standing.match + " is over"};
      line.textContent = words[standing.phase] + " · " + standing.total + " points · " + standing.people + " of " + standing.capacity + " players" +
        (standing.isDraining ? " · the server ends after this match" : "");
      const rows = standing.players.slice().sort((a, b) => b.score - a.score).map(player => {
        const row = document.createElement("tr");
        if (!player.isPerson) row.className = "bot";
        row.append(cell(player.name), cell(player.isPerson ? player.lives : ""), cell(player.score));
        return row;
      });
      document.getElementById("players").replaceChildren(...rows);
    }

    const live = new EventSource("/live");
    live.onmessage = event => { view = JSON.parse(event.data); tell(); requestAnimationFrame(draw); };
    live.onerror = () => { line.textContent = "The server does not answer; trying again"; };
    """
