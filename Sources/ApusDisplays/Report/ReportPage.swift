/// The page of a report: one file, which asks no server for anything.
enum ReportPage {
  /// - Parameter data: As `ReportData` makes it.
  static func html(_ data: String) -> String {
    // In a script, a text that holds `</script>` would end it.
    let safe = data.split(separator: "<", omittingEmptySubsequences: false).joined(separator: "\\u003c")
    return head + style + body + "<script>\nconst data = " + safe + ";\n" + script + "</script>\n</html>\n"
  }

  private static let head = """
    <!doctype html>
    <html lang="en">
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>apus</title>

    """

  private static let style = """
    <style>
    :root { color-scheme: light dark; --text: #1c2024; --dim: #60666d; --line: #d9dce0; --back: #fff; --panel: #f6f7f9;
      --good: #2f7d5b; --bad: #c93a31; --again: #d08a1d; --ended: #8b9199; --area: #3b6fb6 }
    @media (prefers-color-scheme: dark) { :root { --text: #e6e8ea; --dim: #9aa1a9; --line: #363b42; --back: #16191d;
      --panel: #1e2227; --good: #4fae85; --bad: #ef6f63; --again: #e3aa4c; --ended: #7b828a; --area: #6f9fe0 } }
    body { font: 15px/1.45 system-ui, sans-serif; color: var(--text); background: var(--back); margin: 0 auto; padding: 24px;
      max-width: 1160px }
    h1 { font-size: 22px; margin: 0; overflow-wrap: anywhere } h2 { font-size: 16px; margin: 32px 0 8px }
    .dim { color: var(--dim) } .bad { color: var(--bad) }
    .numbers { display: flex; flex-wrap: wrap; gap: 12px; margin-top: 18px }
    .numbers div { background: var(--panel); border-radius: 8px; padding: 10px 16px; min-width: 110px }
    .numbers b { display: block; font-size: 22px; font-weight: 600; font-variant-numeric: tabular-nums }
    canvas { width: 100%; display: block } .scroll { max-height: 480px; overflow-y: auto }
    table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: 5px 12px 5px 0;
      border-bottom: 1px solid var(--line); overflow-wrap: anywhere; vertical-align: top }
    td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; width: 90px }
    th { font-weight: 500; color: var(--dim) }
    pre { background: var(--panel); border-radius: 6px; padding: 10px; margin: 6px 0; overflow: auto; max-height: 260px;
      font-size: 13px } summary { cursor: pointer; overflow-wrap: anywhere }
    #tip { position: fixed; pointer-events: none; background: var(--text); color: var(--back); padding: 4px 9px;
      border-radius: 5px; font-size: 13px; max-width: 420px; overflow-wrap: anywhere; display: none }
    .key span { margin-right: 16px } .key i { display: inline-block; width: 11px; height: 11px; border-radius: 3px;
      margin-right: 5px }
    </style>

    """

  private static let body = """
    <body>
    <h1 id="title"></h1>
    <div id="when" class="dim"></div>
    <div id="numbers" class="numbers"></div>
    <h2>Who did what, when</h2>
    <p id="key" class="key dim"></p>
    <div class="scroll"><canvas id="timeline"></canvas></div>
    <h2>How many worked at a time</h2>
    <canvas id="running"></canvas>
    <h2>How long tasks took</h2>
    <canvas id="durations"></canvas>
    <h2>The slowest</h2>
    <table id="slowest"></table>
    <h2 id="failuresTitle">Failures</h2>
    <div id="failures"></div>
    <div id="tip"></div>
    </body>

    """

  private static let script = #"""
    const outcomes = ["succeeded", "failed", "ended", "tried again"];
    const colours = ["--good", "--bad", "--ended", "--again"];
    const element = id => document.getElementById(id);
    const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    function make(kind, text, className) {
      const made = document.createElement(kind);
      if (text !== undefined) made.textContent = text;
      if (className) made.className = className;
      return made;
    }
    function time(s) {
      if (s >= 3600) return Math.floor(s / 3600) + " h " + Math.round(s % 3600 / 60) + " min";
      if (s >= 120) return Math.floor(s / 60) + " min " + Math.round(s % 60) + " s";
      if (s >= 1) return s.toFixed(s < 10 ? 2 : 1) + " s";
      return s >= 0.001 ? (s * 1e3).toFixed(s < 0.01 ? 1 : 0) + " ms" : (s * 1e6).toFixed(0) + " µs";
    }
    const name = span => span[6] || (span[4] === null ? "a task" : "task " + span[4]);

    /// A canvas as sharp as the screen, of so many pixels in height.
    function prepare(id, height) {
      const canvas = element(id), scale = window.devicePixelRatio || 1, width = canvas.parentElement.clientWidth;
      canvas.style.height = height + "px";
      canvas.width = width * scale; canvas.height = height * scale;
      const context = canvas.getContext("2d");
      context.scale(scale, scale);
      context.font = "12px system-ui, sans-serif"; context.textBaseline = "middle";
      return [context, width];
    }
    /// Times below, at round distances.
    function axis(context, left, width, y, seconds) {
      const rough = seconds / Math.max(2, width / 110), power = 10 ** Math.floor(Math.log10(rough || 1));
      const step = [1, 2, 5, 10].map(n => n * power).find(n => n >= rough) || 1;
      context.fillStyle = colour("--dim"); context.textAlign = "center";
      for (let at = 0; at <= seconds * 1.0001; at += step) {
        const x = left + width * at / (seconds || 1);
        context.fillRect(x, y, 1, 4);
        context.fillText(at ? time(at) : "0", Math.min(x, left + width - 14), y + 13);
      }
    }
    let rowHeight = 20, left = 60;
    function drawTimeline() {
      const rows = data.rows.length;
      rowHeight = rows > 40 ? 10 : 20;
      const [context, full] = prepare("timeline", rows * rowHeight + 24), width = full - left - 4;
      context.textAlign = "right";
      data.rows.forEach((row, index) => {
        context.fillStyle = colour("--panel");
        context.fillRect(left, index * rowHeight + 1, width, rowHeight - 2);
        if (rowHeight > 12 || index % 2 == 0) {
          context.fillStyle = colour("--dim");
          context.fillText(row[0], left - 8, (index + 0.5) * rowHeight);
        }
      });
      for (const span of data.spans) {
        const x = left + width * span[1] / data.seconds, wide = width * span[2] / data.seconds;
        context.fillStyle = colour(colours[span[3]]);
        // A gap of a pixel shows where one ends and the next begins.
        context.fillRect(x, span[0] * rowHeight + 2, Math.max(0.6, wide - (wide > 4 ? 1 : 0)), rowHeight - 4);
      }
      axis(context, left, width, rows * rowHeight, data.seconds);
    }
    function drawRunning() {
      const height = 130, [context, full] = prepare("running", height + 24), width = full - left - 4;
      const changes = data.spans.flatMap(s => [[s[1], 1], [s[1] + s[2], -1]]).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
      const most = Math.max(1, data.rows.length), y = n => height - (height - 8) * n / most;
      context.fillStyle = colour("--dim"); context.textAlign = "right";
      context.fillText(most, left - 8, y(most)); context.fillText("0", left - 8, height);
      context.fillStyle = colour("--line"); context.fillRect(left, y(most), width, 1);
      context.beginPath(); context.moveTo(left, height);
      let now = 0;
      for (const [at, change] of changes) {
        const x = left + width * at / data.seconds;
        context.lineTo(x, y(now)); now += change; context.lineTo(x, y(now));
      }
      context.lineTo(left + width, y(now)); context.lineTo(left + width, height);
      context.globalAlpha = 0.35; context.fillStyle = colour("--area"); context.fill();
      context.globalAlpha = 1;
      axis(context, left, width, height, data.seconds);
    }
    function drawDurations() {
      if (!data.durations.length) return;
      const height = 130, [context, full] = prepare("durations", height + 24), width = full - left - 4;
      const first = data.durations[0][0], last = data.durations[data.durations.length - 1][0];
      const most = Math.max(...data.durations.map(d => d[1])), each = Math.min(80, width / (last - first + 1));
      for (const [bucket, count] of data.durations) {
        const x = left + (bucket - first) * each, tall = Math.max(2, (height - 22) * count / most);
        context.fillStyle = colour("--area"); context.fillRect(x + 1, height - tall, each - 3, tall);
        context.fillStyle = colour("--dim"); context.textAlign = "center";
        context.fillText(count, x + each / 2, height - tall - 9);
        if (each > 44 || (bucket - first) % 2 == 0) {
          context.textAlign = "left";
          context.fillText(time(2 ** (bucket / 2) / 1e6), x, height + 12);
        }
      }
    }
    function fill() {
      document.title = data.title; element("title").textContent = data.title;
      const over = data.succeeded + data.failed + data.cancelled;
      element("when").textContent = new Date(data.start * 1000).toLocaleString();
      const number = (value, text, className) => {
        const box = make("div"); box.append(make("b", value, className), make("span", text, "dim"));
        element("numbers").append(box);
      };
      number(over, "tasks"); number(time(data.seconds), "from begin to end");
      if (data.failed) number(data.failed, "failed", "bad");
      if (data.cancelled) number(data.cancelled, "ended");
      if (data.triedAgain) number(data.triedAgain, "tried again");
      number(Math.round(100 * data.working / (data.seconds * data.rows.length || 1)) + " %", "of the time at work");
      number((data.working / data.seconds).toFixed(1) + " ×", "as fast as one by one");
      number((data.processor / data.seconds).toFixed(1), "processors busy");
      outcomes.forEach((outcome, index) => {
        if (!data.spans.some(span => span[3] == index)) return;
        const entry = make("span"), mark = make("i");
        mark.style.background = `var(${colours[index]})`;
        entry.append(mark, outcome); element("key").append(entry);
      });
      if (data.spanCount > data.spans.length)
        element("key").append(`the first ${data.spans.length} of ${data.spanCount}`);
      const heading = make("tr");
      heading.append(make("th", "took", "number"), make("th", "worker", "number"), make("th", "began after", "number"),
        make("th", "task"));
      element("slowest").append(heading);
      for (const [duration, task, row, start, outcome] of data.slowest) {
        const line = make("tr");
        line.append(make("td", time(duration), "number"), make("td", data.rows[row][0], "number"),
          make("td", time(start), "number"), make("td", task + (outcome ? ` (${outcomes[outcome]})` : ""),
          outcome == 1 ? "bad" : ""));
        element("slowest").append(line);
      }
      if (!data.failures.length) { element("failuresTitle").remove(); return; }
      for (const [task, reason, output] of data.failures) {
        const entry = make("details"), title = make("summary");
        title.append(make("span", task + ": ", "bad"), reason);
        entry.append(title, make("pre", output || "(it printed nothing that was kept)"));
        entry.open = data.failures.length <= 5;
        element("failures").append(entry);
      }
      if (data.failed > data.failures.length)
        element("failures").append(make("p", `and ${data.failed - data.failures.length} more`, "dim"));
    }
    element("timeline").addEventListener("mousemove", event => {
      const box = event.target.getBoundingClientRect(), row = Math.floor((event.clientY - box.top) / rowHeight);
      const at = (event.clientX - box.left - left) / (box.width - left - 4) * data.seconds, tip = element("tip");
      const slack = data.seconds / box.width;
      const span = data.spans.find(s => s[0] == row && s[1] - slack <= at && at <= s[1] + s[2] + slack);
      tip.style.display = span ? "block" : "none";
      if (!span) return;
      tip.textContent = `${name(span)}${span[5] > 1 ? ` and ${span[5] - 1} more` : ""}: ${time(span[2])}, ${outcomes[span[3]]}`;
      tip.style.left = Math.min(event.clientX + 14, innerWidth - 300) + "px"; tip.style.top = event.clientY + 14 + "px";
    });
    element("timeline").addEventListener("mouseleave", () => { element("tip").style.display = "none"; });
    const draw = () => { drawTimeline(); drawRunning(); drawDurations(); };
    fill(); draw();
    addEventListener("resize", draw);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

    """#
}
