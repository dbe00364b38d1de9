// One script for all pages. It sends what a control says, and shows what the server answers: facts as text, the picture by
// patching the SVG. It computes nothing: without it the forms do the same by whole pages.
'use strict';

(() => {
  const body = document.body;
  const path = body.dataset.path;
  if (!path) return;
  document.documentElement.classList.add('script');

  const $ = (selector) => document.querySelector(selector);
  const all = (selector) => document.querySelectorAll(selector);
  const picture = $('#picture');
  const ns = 'http://www.w3.org/2000/svg';
  let seq = Number(body.dataset.seq);
  let world = body.dataset.world;

  // patch makes the element now equal to next, and keeps elements with the same id, so that CSS can animate what changed.
  function patch(now, next) {
    for (const { name } of [...now.attributes]) {
      if (!next.hasAttribute(name)) now.removeAttribute(name);
    }
    for (const { name, value } of next.attributes) {
      if (now.getAttribute(name) !== value) now.setAttribute(name, value);
    }
    patchChildren(now, next);
  }

  function patchChildren(now, next) {
    if (next.children.length === 0) {
      if (now.textContent !== next.textContent || now.children.length > 0) now.textContent = next.textContent;
      return;
    }
    const known = new Map();
    for (const child of now.children) if (child.id) known.set(child.id, child);
    let at = now.firstElementChild;
    for (const wanted of next.children) {
      let same = wanted.id ? known.get(wanted.id) : at && !at.id && at.tagName === wanted.tagName ? at : null;
      if (same && same.tagName !== wanted.tagName) same = null;
      if (!same) {
        now.insertBefore(document.importNode(wanted, true), at);
        continue;
      }
      if (same !== at) now.insertBefore(same, at);
      else at = at.nextElementSibling;
      patch(same, wanted);
    }
    while (at) {
      const gone = at;
      at = at.nextElementSibling;
      gone.remove();
    }
  }

  // show writes an update; one that was overtaken by a later one is dropped.
  function show(u) {
    if (u.world === world && u.seq <= seq) return;
    seq = u.seq;
    if (u.world !== world) {
      for (const frame of all('iframe')) frame.src = frame.getAttribute('src').replace(world, u.world);
      world = u.world;
      listen();
    }
    for (const [name, v] of Object.entries(u.facts)) {
      const out = $(`output[data-fact="${name}"]`);
      if (!out) continue;
      if (out.textContent !== v.text) out.textContent = v.text;
      out.dataset.value = v.value;
      out.dataset.tone = v.tone || '';
    }
    const parsed = new DOMParser().parseFromString(`<svg xmlns="${ns}">${u.svg}</svg>`, 'image/svg+xml');
    patchChildren(picture, parsed.documentElement);
    const says = $('#says');
    if (says.textContent !== u.says) says.textContent = u.says;
    picks(u.picks || []);
    for (const hidden of all('input[name="w"]')) hidden.value = world;
    for (const hidden of all('input[name="state"]')) hidden.value = u.url;
    $('#link').href = u.url;
    if (location.pathname + location.search !== u.url) history.replaceState(null, '', u.url);
  }

  function picks(names) {
    for (const select of all('select[data-picks]')) {
      const had = [...select.options].map((o) => o.value);
      if (had.join('\n') === names.join('\n')) continue;
      const chosen = select.value;
      select.replaceChildren(...names.map((n) => new Option(n)));
      if (names.includes(chosen)) select.value = chosen;
    }
  }

  function fail(text) {
    $('#error').textContent = text;
  }

  // send posts a form. While one is under way the latest of the settings waits, so that a dragged slider sends no queue; actions
  // wait all, in their order.
  const waiting = [];
  let busy = false;
  async function send(url, form) {
    const isSet = form.get('do') === 'set';
    const last = waiting.at(-1);
    if (isSet && last && last.form.get('do') === 'set') waiting.pop();
    waiting.push({ url, form });
    if (busy) return;
    busy = true;
    body.dataset.busy = '';
    while (waiting.length > 0) await post(waiting.shift());
    busy = false;
    delete body.dataset.busy;
  }

  async function post({ url, form }) {
    form.set('w', world);
    form.set('state', $('#link').getAttribute('href'));
    try {
      const answer = await fetch(url, {
        method: 'POST',
        body: new URLSearchParams(form),
        headers: { Accept: 'application/json' },
      });
      const u = await answer.json();
      if (answer.ok) {
        fail('');
        show(u);
      } else {
        fail(u.error || u.title || answer.statusText);
      }
    } catch {
      fail('The program does not answer. Is it still running?');
    }
  }

  for (const form of all('.controls form')) {
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      send(form.action, new FormData(form, event.submitter));
    });
  }

  const settings = $('form.settings');
  if (settings) {
    settings.addEventListener('input', (event) => {
      const reading = $(`[data-reading="${event.target.name}"]`);
      if (reading) reading.textContent = event.target.value;
      send(settings.action, new FormData(settings));
    });
  }

  // Time flows while the page can be seen.
  let stream = null;
  function listen() {
    if (stream) stream.close();
    stream = null;
    if (!('live' in body.dataset) || document.hidden) return;
    stream = new EventSource(`/${path}/events?w=${encodeURIComponent(world)}`);
    stream.addEventListener('message', (event) => show(JSON.parse(event.data)));
    stream.addEventListener('error', () => {
      // Closed for good: the world was forgotten. Asking for nothing but the settings makes it again.
      if (stream && stream.readyState === EventSource.CLOSED && settings) send(settings.action, new FormData(settings));
    });
  }
  document.addEventListener('visibilitychange', listen);
  listen();
})();
