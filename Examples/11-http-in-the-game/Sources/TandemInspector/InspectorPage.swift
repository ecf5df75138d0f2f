// SPDX-License-Identifier: Apache-2.0
// InspectorPage: the page. It asks for state.json twice a second, and writes what comes as text, never as HTML.

let inspectorPage = #"""
    <!doctype html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width">
    <title>Tandem inspector</title>
    <style>
    :root { color-scheme: light dark; --quiet: #68778d; --line: #8884; --late: #e8862a; --good: #2b8a9e; --ticks: #3f9d5a; }
    body { font: 14px/1.45 system-ui, sans-serif; margin: 0 auto; padding: 1rem; max-width: 80rem; }
    h1 { font-size: 1.2rem; margin: 0; } h2 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
    #state { color: var(--quiet); }
    canvas { width: 100%; height: 110px; border: 1px solid var(--line); display: block; }
    table { border-collapse: collapse; width: 100%; }
    th { text-align: left; color: var(--quiet); font-weight: normal; }
    th, td { padding: .15rem .6rem .15rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
    .number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
    .site { font-family: ui-monospace, monospace; font-size: 12px; }
    .bad { color: var(--late); font-weight: 600; }
    dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)); gap: .1rem 1.2rem; margin: 0; }
    dl div { display: flex; justify-content: space-between; border-bottom: 1px solid var(--line); }
    dt { color: var(--quiet); } dd { margin: 0; font-variant-numeric: tabular-nums; }
    pre { margin: .2rem 0; font-size: 12px; white-space: pre-wrap; }
    </style>
    </head>
    <body>
    <h1 id="title">Tandem</h1>
    <div id="state" role="status">asking …</div>
    <h2>Frames</h2>
    <canvas id="frames" role="img" aria-label="the time of each of the last frames"></canvas>
    <div id="framesText" class="site"></div>
    <h2>Time in ticks</h2>
    <canvas id="ticks" role="img" aria-label="the time in ticks of each of the last frames"></canvas>
    <h2>What waits</h2>
    <table><thead><tr><th>what</th><th class="number">since</th><th class="number">due in</th><th>from</th></tr></thead><tbody id="waiting"></tbody></table>
    <h2>Scenes</h2>
    <table><thead><tr><th>begun at</th><th class="number">its time</th><th class="number">tasks</th><th class="number">callbacks</th><th class="number">handlers</th></tr></thead><tbody id="scenes"></tbody></table>
    <h2>Slow code, as the watchdog saw it</h2>
    <div id="slow"></div>
    <h2>Figures</h2>
    <dl id="figures"></dl>
    <script>
    "use strict";
    const at = id => document.getElementById(id);
    const make = (tag, text, name) => {
      const element = document.createElement(tag);
      if (text !== undefined && text !== null) element.textContent = text;
      if (name) element.className = name;
      return element;
    };
    const time = ms => ms === null || ms === undefined ? "" : ms >= 60000 ? (ms / 60000).toFixed(1) + " min"
      : ms >= 1000 ? (ms / 1000).toFixed(1) + " s" : ms >= 1 ? ms.toFixed(1) + " ms" : (ms * 1000).toFixed(0) + " µs";
    const row = cells => {
      const row = make("tr");
      row.append(...cells);
      return row;
    };
    const empty = (columns, text) => {
      const cell = make("td", text);
      cell.colSpan = columns;
      return row([cell]);
    };

    function graph(canvas, values, most, late, colour) {
      const scale = window.devicePixelRatio || 1;
      canvas.width = canvas.clientWidth * scale;
      canvas.height = canvas.clientHeight * scale;
      const context = canvas.getContext("2d");
      const width = canvas.width / 240;
      const style = getComputedStyle(document.documentElement);
      values.forEach((value, index) => {
        const height = Math.max(1, Math.min(1, value / most) * canvas.height);
        context.fillStyle = style.getPropertyValue(late(index) ? "--late" : colour);
        context.fillRect((240 - values.length + index) * width, canvas.height - height, Math.max(1, width - scale), height);
      });
      context.fillStyle = style.getPropertyValue("--quiet");
      context.fillRect(0, canvas.height / 2, canvas.width, 1);
      context.font = 11 * scale + "px sans-serif";
      context.fillText(time(most / 2), 4 * scale, canvas.height / 2 - 4 * scale);
    }

    function show(state) {
      document.title = state.program + " – Tandem inspector";
      at("title").textContent = state.program + ", process " + state.process;
      at("state").textContent = "watched for " + time(state.seconds * 1000);
      at("state").className = "";
      const frames = state.frames.map(frame => frame.milliseconds);
      const sorted = [...frames].sort((a, b) => a - b);
      const usual = sorted[Math.floor(sorted.length / 2)] || 16.7;
      graph(at("frames"), frames, usual * 2, index => frames[index] > usual * 1.25, "--good");
      const ticks = state.frames.map(frame => frame.ticks);
      graph(at("ticks"), ticks, usual, index => state.frames[index].isOverBudget, "--ticks");
      const last = state.frames[state.frames.length - 1];
      at("framesText").textContent = last
        ? "last " + time(last.milliseconds) + ", median " + time(usual) + ", longest " + time(sorted[sorted.length - 1])
          + "; in the last one " + last.callbacks + " callbacks, " + last.jobs + " jobs"
        : "no frames: nobody has run any since this page was opened";
      at("waiting").replaceChildren(...state.waiting.map(wait => {
        const what = make("td", wait.reason, wait.isLost ? "bad" : "");
        if (wait.isLost) what.append(" (lost: nobody awaits it or can cancel it)");
        return row([what, make("td", time(wait.waited), "number"), make("td", time(wait.due), "number"), make("td", wait.site, "site")]);
      }));
      if (!state.waiting.length) at("waiting").append(empty(4, "nothing"));
      if (state.furtherWaits) at("waiting").append(empty(4, "and " + state.furtherWaits + " more"));
      at("scenes").replaceChildren(...state.scenes.map(scene => {
        const place = make("td", scene.site + (scene.isEnding ? " (ending)" : scene.isPaused ? " (paused)" : ""), "site");
        place.style.paddingLeft = scene.depth * 1.5 + "rem";
        return row([place, make("td", time(scene.elapsed), "number"), make("td", scene.tasks, "number"),
          make("td", scene.callbacks, "number"), make("td", scene.handlers, "number")]);
      }));
      if (!state.scenes.length) at("scenes").append(empty(5, "none"));
      at("slow").replaceChildren(...state.slow.map(slow => {
        const entry = make("div");
        entry.append(make("span", (slow.activity || "no tick") + " for " + time(slow.milliseconds), "bad"),
          " " + time(slow.ago) + " ago ", make("span", slow.site, "site"));
        if (slow.stack.length) entry.append(make("pre", slow.stack.slice(0, 12).join("\n")));
        return entry;
      }));
      if (!state.slow.length) at("slow").textContent = "nothing was reported; is Configuration.watchdog set?";
      at("figures").replaceChildren(...Object.entries(state.figures).map(([name, value]) => {
        const entry = make("div");
        const words = name.replace(/([A-Z]|[0-9]+)/g, match => " " + match.toLowerCase());
        const isTime = /^(longest|readyToRun)/.test(name);
        entry.append(make("dt", words), make("dd", isTime ? time(value) : value,
          ["hintsDropped", "budgetOverruns", "callbackErrors"].includes(name) && value ? "bad" : ""));
        return entry;
      }));
    }

    async function ask() {
      try {
        const answer = await fetch("state.json", { cache: "no-store" });
        if (!answer.ok) throw new Error("status " + answer.status);
        show(await answer.json());
      } catch (error) {
        at("state").textContent = "no answer: has the game ended, or does its frame not tick? (" + error.message + ")";
        at("state").className = "bad";
      }
      setTimeout(ask, 500);
    }
    ask();
    </script>
    </body>
    </html>
    """#
