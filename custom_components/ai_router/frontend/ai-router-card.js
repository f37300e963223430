var F=globalThis,V=F.ShadowRoot&&(F.ShadyCSS===void 0||F.ShadyCSS.nativeShadow)&&"adoptedStyleSheets"in Document.prototype&&"replace"in CSSStyleSheet.prototype,_e=Symbol(),qe=new WeakMap,U=class{constructor(e,s,i){if(this._$cssResult$=!0,i!==_e)throw Error("CSSResult is not constructable. Use `unsafeCSS` or `css` instead.");this.cssText=e,this.t=s}get styleSheet(){let e=this.o,s=this.t;if(V&&e===void 0){let i=s!==void 0&&s.length===1;i&&(e=qe.get(s)),e===void 0&&((this.o=e=new CSSStyleSheet).replaceSync(this.cssText),i&&qe.set(s,e))}return e}toString(){return this.cssText}},je=t=>new U(typeof t=="string"?t:t+"",void 0,_e),v=(t,...e)=>{let s=t.length===1?t[0]:e.reduce((i,n,r)=>i+(o=>{if(o._$cssResult$===!0)return o.cssText;if(typeof o=="number")return o;throw Error("Value passed to 'css' function must be a 'css' function result: "+o+". Use 'unsafeCSS' to pass non-literal values, but take care to ensure page security.")})(n)+t[r+1],t[0]);return new U(s,t,_e)},ze=(t,e)=>{if(V)t.adoptedStyleSheets=e.map(s=>s instanceof CSSStyleSheet?s:s.styleSheet);else for(let s of e){let i=document.createElement("style"),n=F.litNonce;n!==void 0&&i.setAttribute("nonce",n),i.textContent=s.cssText,t.appendChild(i)}},ve=V?t=>t:t=>t instanceof CSSStyleSheet?(e=>{let s="";for(let i of e.cssRules)s+=i.cssText;return je(s)})(t):t;var{is:Ut,defineProperty:Mt,getOwnPropertyDescriptor:Dt,getOwnPropertyNames:It,getOwnPropertySymbols:Lt,getPrototypeOf:qt}=Object,W=globalThis,Be=W.trustedTypes,jt=Be?Be.emptyScript:"",zt=W.reactiveElementPolyfillSupport,M=(t,e)=>t,$e={toAttribute(t,e){switch(e){case Boolean:t=t?jt:null;break;case Object:case Array:t=t==null?t:JSON.stringify(t)}return t},fromAttribute(t,e){let s=t;switch(e){case Boolean:s=t!==null;break;case Number:s=t===null?null:Number(t);break;case Object:case Array:try{s=JSON.parse(t)}catch{s=null}}return s}},Ve=(t,e)=>!Ut(t,e),Fe={attribute:!0,type:String,converter:$e,reflect:!1,useDefault:!1,hasChanged:Ve};Symbol.metadata??=Symbol("metadata"),W.litPropertyMetadata??=new WeakMap;var w=class extends HTMLElement{static addInitializer(e){this._$Ei(),(this.l??=[]).push(e)}static get observedAttributes(){return this.finalize(),this._$Eh&&[...this._$Eh.keys()]}static createProperty(e,s=Fe){if(s.state&&(s.attribute=!1),this._$Ei(),this.prototype.hasOwnProperty(e)&&((s=Object.create(s)).wrapped=!0),this.elementProperties.set(e,s),!s.noAccessor){let i=Symbol(),n=this.getPropertyDescriptor(e,i,s);n!==void 0&&Mt(this.prototype,e,n)}}static getPropertyDescriptor(e,s,i){let{get:n,set:r}=Dt(this.prototype,e)??{get(){return this[s]},set(o){this[s]=o}};return{get:n,set(o){let c=n?.call(this);r?.call(this,o),this.requestUpdate(e,c,i)},configurable:!0,enumerable:!0}}static getPropertyOptions(e){return this.elementProperties.get(e)??Fe}static _$Ei(){if(this.hasOwnProperty(M("elementProperties")))return;let e=qt(this);e.finalize(),e.l!==void 0&&(this.l=[...e.l]),this.elementProperties=new Map(e.elementProperties)}static finalize(){if(this.hasOwnProperty(M("finalized")))return;if(this.finalized=!0,this._$Ei(),this.hasOwnProperty(M("properties"))){let s=this.properties,i=[...It(s),...Lt(s)];for(let n of i)this.createProperty(n,s[n])}let e=this[Symbol.metadata];if(e!==null){let s=litPropertyMetadata.get(e);if(s!==void 0)for(let[i,n]of s)this.elementProperties.set(i,n)}this._$Eh=new Map;for(let[s,i]of this.elementProperties){let n=this._$Eu(s,i);n!==void 0&&this._$Eh.set(n,s)}this.elementStyles=this.finalizeStyles(this.styles)}static finalizeStyles(e){let s=[];if(Array.isArray(e)){let i=new Set(e.flat(1/0).reverse());for(let n of i)s.unshift(ve(n))}else e!==void 0&&s.push(ve(e));return s}static _$Eu(e,s){let i=s.attribute;return i===!1?void 0:typeof i=="string"?i:typeof e=="string"?e.toLowerCase():void 0}constructor(){super(),this._$Ep=void 0,this.isUpdatePending=!1,this.hasUpdated=!1,this._$Em=null,this._$Ev()}_$Ev(){this._$ES=new Promise(e=>this.enableUpdating=e),this._$AL=new Map,this._$E_(),this.requestUpdate(),this.constructor.l?.forEach(e=>e(this))}addController(e){(this._$EO??=new Set).add(e),this.renderRoot!==void 0&&this.isConnected&&e.hostConnected?.()}removeController(e){this._$EO?.delete(e)}_$E_(){let e=new Map,s=this.constructor.elementProperties;for(let i of s.keys())this.hasOwnProperty(i)&&(e.set(i,this[i]),delete this[i]);e.size>0&&(this._$Ep=e)}createRenderRoot(){let e=this.shadowRoot??this.attachShadow(this.constructor.shadowRootOptions);return ze(e,this.constructor.elementStyles),e}connectedCallback(){this.renderRoot??=this.createRenderRoot(),this.enableUpdating(!0),this._$EO?.forEach(e=>e.hostConnected?.())}enableUpdating(e){}disconnectedCallback(){this._$EO?.forEach(e=>e.hostDisconnected?.())}attributeChangedCallback(e,s,i){this._$AK(e,i)}_$ET(e,s){let i=this.constructor.elementProperties.get(e),n=this.constructor._$Eu(e,i);if(n!==void 0&&i.reflect===!0){let r=(i.converter?.toAttribute!==void 0?i.converter:$e).toAttribute(s,i.type);this._$Em=e,r==null?this.removeAttribute(n):this.setAttribute(n,r),this._$Em=null}}_$AK(e,s){let i=this.constructor,n=i._$Eh.get(e);if(n!==void 0&&this._$Em!==n){let r=i.getPropertyOptions(n),o=typeof r.converter=="function"?{fromAttribute:r.converter}:r.converter?.fromAttribute!==void 0?r.converter:$e;this._$Em=n;let c=o.fromAttribute(s,r.type);this[n]=c??this._$Ej?.get(n)??c,this._$Em=null}}requestUpdate(e,s,i,n=!1,r){if(e!==void 0){let o=this.constructor;if(n===!1&&(r=this[e]),i??=o.getPropertyOptions(e),!((i.hasChanged??Ve)(r,s)||i.useDefault&&i.reflect&&r===this._$Ej?.get(e)&&!this.hasAttribute(o._$Eu(e,i))))return;this.C(e,s,i)}this.isUpdatePending===!1&&(this._$ES=this._$EP())}C(e,s,{useDefault:i,reflect:n,wrapped:r},o){i&&!(this._$Ej??=new Map).has(e)&&(this._$Ej.set(e,o??s??this[e]),r!==!0||o!==void 0)||(this._$AL.has(e)||(this.hasUpdated||i||(s=void 0),this._$AL.set(e,s)),n===!0&&this._$Em!==e&&(this._$Eq??=new Set).add(e))}async _$EP(){this.isUpdatePending=!0;try{await this._$ES}catch(s){Promise.reject(s)}let e=this.scheduleUpdate();return e!=null&&await e,!this.isUpdatePending}scheduleUpdate(){return this.performUpdate()}performUpdate(){if(!this.isUpdatePending)return;if(!this.hasUpdated){if(this.renderRoot??=this.createRenderRoot(),this._$Ep){for(let[n,r]of this._$Ep)this[n]=r;this._$Ep=void 0}let i=this.constructor.elementProperties;if(i.size>0)for(let[n,r]of i){let{wrapped:o}=r,c=this[n];o!==!0||this._$AL.has(n)||c===void 0||this.C(n,void 0,r,c)}}let e=!1,s=this._$AL;try{e=this.shouldUpdate(s),e?(this.willUpdate(s),this._$EO?.forEach(i=>i.hostUpdate?.()),this.update(s)):this._$EM()}catch(i){throw e=!1,this._$EM(),i}e&&this._$AE(s)}willUpdate(e){}_$AE(e){this._$EO?.forEach(s=>s.hostUpdated?.()),this.hasUpdated||(this.hasUpdated=!0,this.firstUpdated(e)),this.updated(e)}_$EM(){this._$AL=new Map,this.isUpdatePending=!1}get updateComplete(){return this.getUpdateComplete()}getUpdateComplete(){return this._$ES}shouldUpdate(e){return!0}update(e){this._$Eq&&=this._$Eq.forEach(s=>this._$ET(s,this[s])),this._$EM()}updated(e){}firstUpdated(e){}};w.elementStyles=[],w.shadowRootOptions={mode:"open"},w[M("elementProperties")]=new Map,w[M("finalized")]=new Map,zt?.({ReactiveElement:w}),(W.reactiveElementVersions??=[]).push("2.1.2");var we=globalThis,We=t=>t,K=we.trustedTypes,Ke=K?K.createPolicy("lit-html",{createHTML:t=>t}):void 0,be="$lit$",b=`lit$${Math.random().toFixed(9).slice(2)}$`,xe="?"+b,Bt=`<${xe}>`,k=document,I=()=>k.createComment(""),L=t=>t===null||typeof t!="object"&&typeof t!="function",Ae=Array.isArray,Xe=t=>Ae(t)||typeof t?.[Symbol.iterator]=="function",ye=`[ 	
\f\r]`,D=/<(?:(!--|\/[^a-zA-Z])|(\/?[a-zA-Z][^>\s]*)|(\/?$))/g,Ge=/-->/g,Ze=/>/g,E=RegExp(`>|${ye}(?:([^\\s"'>=/]+)(${ye}*=${ye}*(?:[^ 	
\f\r"'\`<>=]|("|')|))|$)`,"g"),Ye=/'/g,Je=/"/g,et=/^(?:script|style|textarea|title)$/i,Se=t=>(e,...s)=>({_$litType$:t,strings:e,values:s}),u=Se(1),vs=Se(2),$s=Se(3),x=Symbol.for("lit-noChange"),p=Symbol.for("lit-nothing"),Qe=new WeakMap,R=k.createTreeWalker(k,129);function tt(t,e){if(!Ae(t)||!t.hasOwnProperty("raw"))throw Error("invalid template strings array");return Ke!==void 0?Ke.createHTML(e):e}var st=(t,e)=>{let s=t.length-1,i=[],n,r=e===2?"<svg>":e===3?"<math>":"",o=D;for(let c=0;c<s;c++){let a=t[c],m,g,d=-1,f=0;for(;f<a.length&&(o.lastIndex=f,g=o.exec(a),g!==null);)f=o.lastIndex,o===D?g[1]==="!--"?o=Ge:g[1]!==void 0?o=Ze:g[2]!==void 0?(et.test(g[2])&&(n=RegExp("</"+g[2],"g")),o=E):g[3]!==void 0&&(o=E):o===E?g[0]===">"?(o=n??D,d=-1):g[1]===void 0?d=-2:(d=o.lastIndex-g[2].length,m=g[1],o=g[3]===void 0?E:g[3]==='"'?Je:Ye):o===Je||o===Ye?o=E:o===Ge||o===Ze?o=D:(o=E,n=void 0);let h=o===E&&t[c+1].startsWith("/>")?" ":"";r+=o===D?a+Bt:d>=0?(i.push(m),a.slice(0,d)+be+a.slice(d)+b+h):a+b+(d===-2?c:h)}return[tt(t,r+(t[s]||"<?>")+(e===2?"</svg>":e===3?"</math>":"")),i]},q=class t{constructor({strings:e,_$litType$:s},i){let n;this.parts=[];let r=0,o=0,c=e.length-1,a=this.parts,[m,g]=st(e,s);if(this.el=t.createElement(m,i),R.currentNode=this.el.content,s===2||s===3){let d=this.el.content.firstChild;d.replaceWith(...d.childNodes)}for(;(n=R.nextNode())!==null&&a.length<c;){if(n.nodeType===1){if(n.hasAttributes())for(let d of n.getAttributeNames())if(d.endsWith(be)){let f=g[o++],h=n.getAttribute(d).split(b),_=/([.?@])?(.*)/.exec(f);a.push({type:1,index:r,name:_[2],strings:h,ctor:_[1]==="."?Z:_[1]==="?"?Y:_[1]==="@"?J:H}),n.removeAttribute(d)}else d.startsWith(b)&&(a.push({type:6,index:r}),n.removeAttribute(d));if(et.test(n.tagName)){let d=n.textContent.split(b),f=d.length-1;if(f>0){n.textContent=K?K.emptyScript:"";for(let h=0;h<f;h++)n.append(d[h],I()),R.nextNode(),a.push({type:2,index:++r});n.append(d[f],I())}}}else if(n.nodeType===8)if(n.data===xe)a.push({type:2,index:r});else{let d=-1;for(;(d=n.data.indexOf(b,d+1))!==-1;)a.push({type:7,index:r}),d+=b.length-1}r++}}static createElement(e,s){let i=k.createElement("template");return i.innerHTML=e,i}};function P(t,e,s=t,i){if(e===x)return e;let n=i!==void 0?s._$Co?.[i]:s._$Cl,r=L(e)?void 0:e._$litDirective$;return n?.constructor!==r&&(n?._$AO?.(!1),r===void 0?n=void 0:(n=new r(t),n._$AT(t,s,i)),i!==void 0?(s._$Co??=[])[i]=n:s._$Cl=n),n!==void 0&&(e=P(t,n._$AS(t,e.values),n,i)),e}var G=class{constructor(e,s){this._$AV=[],this._$AN=void 0,this._$AD=e,this._$AM=s}get parentNode(){return this._$AM.parentNode}get _$AU(){return this._$AM._$AU}u(e){let{el:{content:s},parts:i}=this._$AD,n=(e?.creationScope??k).importNode(s,!0);R.currentNode=n;let r=R.nextNode(),o=0,c=0,a=i[0];for(;a!==void 0;){if(o===a.index){let m;a.type===2?m=new N(r,r.nextSibling,this,e):a.type===1?m=new a.ctor(r,a.name,a.strings,this,e):a.type===6&&(m=new Q(r,this,e)),this._$AV.push(m),a=i[++c]}o!==a?.index&&(r=R.nextNode(),o++)}return R.currentNode=k,n}p(e){let s=0;for(let i of this._$AV)i!==void 0&&(i.strings!==void 0?(i._$AI(e,i,s),s+=i.strings.length-2):i._$AI(e[s])),s++}},N=class t{get _$AU(){return this._$AM?._$AU??this._$Cv}constructor(e,s,i,n){this.type=2,this._$AH=p,this._$AN=void 0,this._$AA=e,this._$AB=s,this._$AM=i,this.options=n,this._$Cv=n?.isConnected??!0}get parentNode(){let e=this._$AA.parentNode,s=this._$AM;return s!==void 0&&e?.nodeType===11&&(e=s.parentNode),e}get startNode(){return this._$AA}get endNode(){return this._$AB}_$AI(e,s=this){e=P(this,e,s),L(e)?e===p||e==null||e===""?(this._$AH!==p&&this._$AR(),this._$AH=p):e!==this._$AH&&e!==x&&this._(e):e._$litType$!==void 0?this.$(e):e.nodeType!==void 0?this.T(e):Xe(e)?this.k(e):this._(e)}O(e){return this._$AA.parentNode.insertBefore(e,this._$AB)}T(e){this._$AH!==e&&(this._$AR(),this._$AH=this.O(e))}_(e){this._$AH!==p&&L(this._$AH)?this._$AA.nextSibling.data=e:this.T(k.createTextNode(e)),this._$AH=e}$(e){let{values:s,_$litType$:i}=e,n=typeof i=="number"?this._$AC(e):(i.el===void 0&&(i.el=q.createElement(tt(i.h,i.h[0]),this.options)),i);if(this._$AH?._$AD===n)this._$AH.p(s);else{let r=new G(n,this),o=r.u(this.options);r.p(s),this.T(o),this._$AH=r}}_$AC(e){let s=Qe.get(e.strings);return s===void 0&&Qe.set(e.strings,s=new q(e)),s}k(e){Ae(this._$AH)||(this._$AH=[],this._$AR());let s=this._$AH,i,n=0;for(let r of e)n===s.length?s.push(i=new t(this.O(I()),this.O(I()),this,this.options)):i=s[n],i._$AI(r),n++;n<s.length&&(this._$AR(i&&i._$AB.nextSibling,n),s.length=n)}_$AR(e=this._$AA.nextSibling,s){for(this._$AP?.(!1,!0,s);e!==this._$AB;){let i=We(e).nextSibling;We(e).remove(),e=i}}setConnected(e){this._$AM===void 0&&(this._$Cv=e,this._$AP?.(e))}},H=class{get tagName(){return this.element.tagName}get _$AU(){return this._$AM._$AU}constructor(e,s,i,n,r){this.type=1,this._$AH=p,this._$AN=void 0,this.element=e,this.name=s,this._$AM=n,this.options=r,i.length>2||i[0]!==""||i[1]!==""?(this._$AH=Array(i.length-1).fill(new String),this.strings=i):this._$AH=p}_$AI(e,s=this,i,n){let r=this.strings,o=!1;if(r===void 0)e=P(this,e,s,0),o=!L(e)||e!==this._$AH&&e!==x,o&&(this._$AH=e);else{let c=e,a,m;for(e=r[0],a=0;a<r.length-1;a++)m=P(this,c[i+a],s,a),m===x&&(m=this._$AH[a]),o||=!L(m)||m!==this._$AH[a],m===p?e=p:e!==p&&(e+=(m??"")+r[a+1]),this._$AH[a]=m}o&&!n&&this.j(e)}j(e){e===p?this.element.removeAttribute(this.name):this.element.setAttribute(this.name,e??"")}},Z=class extends H{constructor(){super(...arguments),this.type=3}j(e){this.element[this.name]=e===p?void 0:e}},Y=class extends H{constructor(){super(...arguments),this.type=4}j(e){this.element.toggleAttribute(this.name,!!e&&e!==p)}},J=class extends H{constructor(e,s,i,n,r){super(e,s,i,n,r),this.type=5}_$AI(e,s=this){if((e=P(this,e,s,0)??p)===x)return;let i=this._$AH,n=e===p&&i!==p||e.capture!==i.capture||e.once!==i.once||e.passive!==i.passive,r=e!==p&&(i===p||n);n&&this.element.removeEventListener(this.name,this,i),r&&this.element.addEventListener(this.name,this,e),this._$AH=e}handleEvent(e){typeof this._$AH=="function"?this._$AH.call(this.options?.host??this.element,e):this._$AH.handleEvent(e)}},Q=class{constructor(e,s,i){this.element=e,this.type=6,this._$AN=void 0,this._$AM=s,this.options=i}get _$AU(){return this._$AM._$AU}_$AI(e){P(this,e)}},it={M:be,P:b,A:xe,C:1,L:st,R:G,D:Xe,V:P,I:N,H,N:Y,U:J,B:Z,F:Q},Ft=we.litHtmlPolyfillSupport;Ft?.(q,N),(we.litHtmlVersions??=[]).push("3.3.3");var nt=(t,e,s)=>{let i=s?.renderBefore??e,n=i._$litPart$;if(n===void 0){let r=s?.renderBefore??null;i._$litPart$=n=new N(e.insertBefore(I(),r),r,void 0,s??{})}return n._$AI(t),n};var Te=globalThis,S=class extends w{constructor(){super(...arguments),this.renderOptions={host:this},this._$Do=void 0}createRenderRoot(){let e=super.createRenderRoot();return this.renderOptions.renderBefore??=e.firstChild,e}update(e){let s=this.render();this.hasUpdated||(this.renderOptions.isConnected=this.isConnected),super.update(e),this._$Do=nt(s,this.renderRoot,this.renderOptions)}connectedCallback(){super.connectedCallback(),this._$Do?.setConnected(!0)}disconnectedCallback(){super.disconnectedCallback(),this._$Do?.setConnected(!1)}render(){return x}};S._$litElement$=!0,S.finalized=!0,Te.litElementHydrateSupport?.({LitElement:S});var Vt=Te.litElementPolyfillSupport;Vt?.({LitElement:S});(Te.litElementVersions??=[]).push("4.2.2");var rt={ATTRIBUTE:1,CHILD:2,PROPERTY:3,BOOLEAN_ATTRIBUTE:4,EVENT:5,ELEMENT:6},ot=t=>(...e)=>({_$litDirective$:t,values:e}),X=class{constructor(e){}get _$AU(){return this._$AM._$AU}_$AT(e,s,i){this._$Ct=e,this._$AM=s,this._$Ci=i}_$AS(e,s){return this.update(e,s)}update(e,s){return this.render(...s)}};var{I:Wt}=it,at=t=>t;var lt=()=>document.createComment(""),O=(t,e,s)=>{let i=t._$AA.parentNode,n=e===void 0?t._$AB:e._$AA;if(s===void 0){let r=i.insertBefore(lt(),n),o=i.insertBefore(lt(),n);s=new Wt(r,o,t,t.options)}else{let r=s._$AB.nextSibling,o=s._$AM,c=o!==t;if(c){let a;s._$AQ?.(t),s._$AM=t,s._$AP!==void 0&&(a=t._$AU)!==o._$AU&&s._$AP(a)}if(r!==n||c){let a=s._$AA;for(;a!==r;){let m=at(a).nextSibling;at(i).insertBefore(a,n),a=m}}}return s},T=(t,e,s=t)=>(t._$AI(e,s),t),Kt={},dt=(t,e=Kt)=>t._$AH=e,ct=t=>t._$AH,ee=t=>{t._$AR(),t._$AA.remove()};var ut=(t,e,s)=>{let i=new Map;for(let n=e;n<=s;n++)i.set(t[n],n);return i},te=ot(class extends X{constructor(t){if(super(t),t.type!==rt.CHILD)throw Error("repeat() can only be used in text expressions")}dt(t,e,s){let i;s===void 0?s=e:e!==void 0&&(i=e);let n=[],r=[],o=0;for(let c of t)n[o]=i?i(c,o):o,r[o]=s(c,o),o++;return{values:r,keys:n}}render(t,e,s){return this.dt(t,e,s).values}update(t,[e,s,i]){let n=ct(t),{values:r,keys:o}=this.dt(e,s,i);if(!Array.isArray(n))return this.ut=o,r;let c=this.ut??=[],a=[],m,g,d=0,f=n.length-1,h=0,_=r.length-1;for(;d<=f&&h<=_;)if(n[d]===null)d++;else if(n[f]===null)f--;else if(c[d]===o[h])a[h]=T(n[d],r[h]),d++,h++;else if(c[f]===o[_])a[_]=T(n[f],r[_]),f--,_--;else if(c[d]===o[_])a[_]=T(n[d],r[_]),O(t,a[_+1],n[d]),d++,_--;else if(c[f]===o[h])a[h]=T(n[f],r[h]),O(t,n[d],n[f]),f--,h++;else if(m===void 0&&(m=ut(o,h,_),g=ut(c,d,f)),m.has(c[d]))if(m.has(c[f])){let y=g.get(o[h]),ge=y!==void 0?n[y]:null;if(ge===null){let Le=O(t,n[d]);T(Le,r[h]),a[h]=Le}else a[h]=T(ge,r[h]),O(t,n[d],ge),n[y]=null;h++}else ee(n[f]),f--;else ee(n[d]),d++;for(;h<=_;){let y=O(t,a[_+1]);T(y,r[h]),a[h++]=y}for(;d<=f;){let y=n[d++];y!==null&&ee(y)}return this.ut=o,dt(t,a),x}});var Gt={comma_decimal:["en-US","en"],decimal_comma:["de","es","it"],space_comma:["fr","sv","cs"],quote_decimal:["de-CH"]};function Zt(t){switch(t.number_format){case"none":return"en-US";case"system":return;default:return Gt[t.number_format]??t.language}}var pt=new Map;function mt(t,e){let s=JSON.stringify([t.language,t.number_format,e]),i=pt.get(s);if(!i){let n=t.number_format!=="none";pt.set(s,i=new Intl.NumberFormat(Zt(t),{useGrouping:n,...e}))}return i}function $(t,e,s={}){return mt(t.locale,s).format(e)}function se(t,e){let s=e>0&&e<.01,i=$(t,s?.01:e,{style:"percent",maximumFractionDigits:0});return s?`<${i}`:i}function A(t,e,s){let i=Math.abs(Number(e)),n=i===0||i>=1?{minimumFractionDigits:2,maximumFractionDigits:2}:i>=1e-4?{minimumFractionDigits:2,maximumFractionDigits:4}:{maximumSignificantDigits:2};return mt(t.locale,{style:"currency",currency:s,...n}).format(Number(e))}function ie(t,e){let s=e<.9995?{unit:"millisecond",maximumFractionDigits:0}:{unit:"second",maximumFractionDigits:e<10?1:0},i=s.unit==="second"?e:e*1e3;return $(t,i,{style:"unit",unitDisplay:"short",...s})}function Ce(t){let{time_format:e,time_zone:s}=t.locale;return{...s==="server"&&{timeZone:t.config.time_zone},...e==="12"&&{hour12:!0},...e==="24"&&{hourCycle:"h23"}}}function Ee(t){return t.time_format==="system"?void 0:t.language}function ht(t,e,s=Date.now()){let i=Ce(t),n=new Intl.DateTimeFormat("en-CA",i.timeZone?{timeZone:i.timeZone}:{});return n.format(e*1e3)!==n.format(s)?Re(t,e):new Intl.DateTimeFormat(Ee(t.locale),{...i,hour:"numeric",minute:"2-digit"}).format(e*1e3)}function Re(t,e){return new Intl.DateTimeFormat(Ee(t.locale),{...Ce(t),day:"numeric",month:"short",hour:"numeric",minute:"2-digit"}).format(e*1e3)}function ft(t,e){let s={...Ce(t),dateStyle:"medium",timeStyle:"medium"};return new Intl.DateTimeFormat(Ee(t.locale),s).format(e*1e3)}var ke={card_name:"AI Router",card_description:"Spending against the budget, how the providers do, and who answered lately.",loading:"Loading…",not_set_up:"AI Router is not set up",not_set_up_admin:"Add it in the settings, or look there why it could not be loaded.",not_set_up_user:"Somebody with an administrator's rights can set it up.",no_provider:"No provider yet",no_provider_admin:"Add the first one: an account with an AI provider, or a server in your home.",no_provider_user:"Somebody with an administrator's rights can add one.",open_settings:"Open settings",today:"Today",this_week:"This week",this_month:"This month",in_all:"In all",of_budget:"{share} of {limit}",no_budget:"no budget",projection:"about {amount} by the end of the month",budget_used:"Budget used",over_day:"Today's budget is used up",over_week:"This week's budget is used up",over_month:"This month's budget is used up",over_total:"The whole budget is used up",over_hard_until:"What costs nothing goes on; paid requests start again on {when}.",over_hard:"What costs nothing goes on; paid requests need a larger budget.",over_soft:"It only warns: requests go on.",requests_one:"{count} request today",requests_other:"{count} requests today",under_way:"{count} under way",providers:"Providers",need_attention_one:"{count} needs attention",need_attention_other:"{count} need attention",all_well:"all well",show_all:"Show all {count}",show_fewer:"Show fewer",provider:"Provider",health:"Health",breaker:"Circuit breaker",latency:"Latency",rate:"Per minute",rate_of:"{used} of {limit}",not_used:"not used yet",disabled:"Disabled",waiting:"Waits: it cannot be used the way it is set",local:"In your home",own_budget_used:"Its budget is used up",details_of:"Show details of {name}",answers:"Last answers",own_answers:"Your last answers",no_answers:"Nothing asked since Home Assistant started.",no_answers_hint:"An automation asks with the action {action}.",answered:"Answered",failed:"Failed",cached:"kept answer",estimated:"estimated",pool:"Pool {name}",rule:"Rule {name}",why:"Why: {reason}",tried:"{provider} failed before: {failure}",tried_last:"{provider}: {failure}",cost:"Cost",source_action:"Action",source_conversation:"Assist",source_ai_task:"AI Task",failure_no_provider:"There was no provider.",failure_not_allowed:"Whoever asked may not ask.",failure_unknown_pool:"There is no such pool.",failure_unknown_strategy:"There is no such strategy.",failure_no_capable_target:"No model can or may do what was asked.",failure_over_budget:"A budget is used up.",failure_limited:"The limit of requests was reached.",failure_all_down:"Every provider was down.",failure_all_failed:"Every provider failed.",failure_rejected:"The provider refused the request.",failure_deadline:"There was no answer in time.",failure_stream_broken:"The answer broke off.",failure_ledger_unavailable:"The record of costs could not be written.",failure_unreadable_text:"The request had half a character in it.",failure_not_cached:"There was no kept answer.",failure_stopping:"AI Router was stopping.",failure_cancelled:"Whoever asked did not wait.",edit_title:"Title",edit_spend:"Spending",edit_providers:"Providers",edit_answers:"Last answers",edit_max_providers:"Providers at first",edit_max_providers_help:"The others are one click away. Those that need attention come first.",edit_max_answers:"Answers"},gt={en:ke};function Yt(t,e){let[s="en"]=t.split("-");return gt[t]?.[e]??gt[s]?.[e]??ke[e]}function Pe(t,e,s={}){return Yt(t,e).replace(/\{(\w+)\}/g,(i,n)=>s[n]??i)}function l(t,e,s){return Pe(t.language,e,s)}function ne(t,e,s,i){let n=new Intl.PluralRules(t.language).select(s)==="one"?"one":"other";return l(t,`${e}_${n}`,{count:i})}function j(t,e,s){let i=`${e}_${s}`;return i in ke?l(t,i):re(s)}function re(t){let e=t.replaceAll("_"," ");return e.charAt(0).toUpperCase()+e.slice(1)}var He="component.ai_router.entity.sensor";function _t(t,e){return t.localize(`${He}.health.state.${e}`)||re(e)}function oe(t,e){return t.localize(`${He}.health.state_attributes.reason.state.${e}`)||re(e)}function vt(t,e){return t.localize(`${He}.breaker.state.${e}`)||re(e)}var Jt=.8;function C(t,e){return u`<ha-icon class=${e} icon="mdi:${t}" aria-hidden="true"></ha-icon>`}function ae(t,e){return e>0?t/e:1}function le(t,e,s){let i=s>=1?"bad":s>=Jt?"warn":"",n=Math.round(Math.min(s,1)*100);return u`<div
    class="meter ${i}"
    role="meter"
    aria-label=${e}
    aria-valuemin="0"
    aria-valuemax="100"
    aria-valuenow=${n}
    aria-valuetext=${se(t,s)}
  >
    <span style="width: ${n}%"></span>
  </div>`}function z(t){return u`<bdi class="name" title=${t}>${t}</bdi>`}function de(t){return t.filter(e=>e.over)}function $t(t,e){return j(t,"over",e.window)}function Ne(t,e,s,i,n){let r=t.user?.is_admin??!1;return u`<div class="empty" role="status">
    ${C(n,"quiet")}
    <h3>${l(t,e)}</h3>
    <p class="quiet">${l(t,r?s:i)}</p>
    ${r?u`<a class="button" href="/config/integrations/integration/ai_router">${l(t,"open_settings")}</a>`:p}
  </div>`}function yt(t,e,s){return u`<section class="answers">
    <div class="head"><h3>${l(t,t.user?.is_admin?"answers":"own_answers")}</h3></div>
    ${e.length?p:Qt(t)}
    <ul>
      ${te(e.slice(0,s),i=>i.id,i=>Xt(t,i))}
    </ul>
  </section>`}function Qt(t){let[e,s]=l(t,"no_answers_hint").split("{action}");return u`<p class="quiet">
    ${l(t,"no_answers")} ${e}<code>ai_router.process</code>${s}
  </p>`}function Xt(t,e){let{cost:s,failure:i,label:n}=e;return u`<li data-request=${e.id}>
    ${i?C("close-circle","bad"):C("check-circle","good")}
    <div class="what">
      <span class="hidden">${l(t,i?"failed":"answered")}: </span>
      ${z(n||j(t,"source",e.source))}
      <span class="number price">
        <span class="hidden">${l(t,"cost")}: </span>${A(t,s.amount,s.currency)}${s.estimated?u`<span class="small quiet"> ${l(t,"estimated")}</span>`:p}
      </span>
    </div>
    <div class="more-of small quiet">
      <span class="who-gave">${i?j(t,"failure",i):es(t,e)}</span>
      <time class="number" datetime=${new Date(e.when*1e3).toISOString()} title=${ft(t,e.when)}
        >${ht(t,e.when)}</time
      >
    </div>
    ${ts(t,e)}
  </li>`}function es(t,{provider:e,model:s,cached:i,latency:n}){return u`<bdi class="strong">${e}</bdi> · <bdi>${s}</bdi> ·
    <span class="number">${ie(t,n)}</span>${i?u` · ${l(t,"cached")}`:p}`}function ts(t,e){let{failure:s,pool:i,reason:n,rule:r,tried:o}=e,c=s?"tried_last":"tried",a=new Set([...r?[l(t,"rule",{name:r})]:[],...i?[l(t,"pool",{name:i})]:[],...n?[l(t,"why",{reason:n})]:[],...o.map(m=>l(t,c,{provider:m.provider,failure:oe(t,m.failure??"unknown")}))]);return a.size?u`<div class="why small quiet">${[...a].map(m=>u`<span>${m}</span>`)}</div>`:p}var wt=v`
  .answers li {
    display: grid;
    grid-template-columns: 18px minmax(0, 1fr);
    gap: 0 var(--ha-space-3, 12px);
    padding: var(--ha-space-2, 8px) 0;
    border-top: 1px solid var(--line);
  }
  .answers .head {
    padding-bottom: var(--ha-space-1, 4px);
  }
  .answers li > :not(ha-icon) {
    grid-column: 2;
  }
  .answers p {
    padding: var(--ha-space-2, 8px) 0;
  }
  .what,
  .more-of {
    display: flex;
    justify-content: space-between;
    gap: var(--ha-space-3, 12px);
    min-width: 0;
  }
  .what .name {
    font-weight: var(--strong);
  }
  .who-gave,
  .why {
    overflow-wrap: anywhere;
  }
  .strong {
    color: var(--primary-text-color);
  }
  .why > span + span::before {
    content: " · ";
  }
  code {
    font-family: var(--ha-font-family-code, monospace);
  }
`;var Oe=["spend","providers","answers"],ce=6,ue=5,St=100,Tt=20;function pe(t){return Oe.filter(e=>t?.[`show_${e}`]??!0)}function Ue(t){if(t.title!==void 0&&typeof t.title!="string")throw new Error("title must be text");for(let e of Oe){let s=t[`show_${e}`];if(s!==void 0&&typeof s!="boolean")throw new Error(`show_${e} must be true or false`)}bt("max_providers",t.max_providers,St),bt("max_answers",t.max_answers,Tt)}function bt(t,e,s){if(e!==void 0&&!(Number.isInteger(e)&&e>=1&&e<=s))throw new Error(`${t} must be a whole number from 1 to ${s}`)}var xt={title:"edit_title",show_spend:"edit_spend",show_providers:"edit_providers",show_answers:"edit_answers",max_providers:"edit_max_providers",max_answers:"edit_max_answers"},Ct=()=>({schema:[{name:"title",selector:{text:{}}},...Oe.map(t=>({name:`show_${t}`,default:!0,selector:{boolean:{}}})),{type:"grid",name:"",schema:[At("max_providers",ce,St),At("max_answers",ue,Tt)]}],assertConfig:Ue,computeLabel:({name:t})=>xt[t]?B(xt[t]):"",computeHelper:({name:t})=>t==="max_providers"?B("edit_max_providers_help"):""});function At(t,e,s){return{name:t,default:e,selector:{number:{min:1,max:s,mode:"box"}}}}function B(t){let e=document.querySelector("home-assistant");return Pe(e?.hass?.language??navigator.language,t)}var ss="ai_router/subscribe",is="ai_router",Me={is:"loading"},Et={is:"not_set_up"},De=class{constructor(e){this.connection=e;this.state=Me;this.#e=new Set;this.#t={};this.#s=0;this.#n=!1;this.#o=()=>{let e=++this.#s;this.#t={},this.#n=!1,this.#r=void 0,this.connection.subscribeMessage(s=>e===this.#s&&this.#d(s),{type:ss,...this.#i?{language:this.#i}:{}},{resubscribe:!1}).then(s=>{e===this.#s?this.#r=s:s().catch(()=>{})},()=>{e===this.#s&&(this.#n=!0,this.#a(Et))})}}#e;#t;#s;#i;#n;#r;join(e){return this.#e.add(e),this.#e.size===1&&(this.connection.addEventListener("ready",this.#o),this.#o()),()=>{this.#e.delete(e),this.#e.size||this.#l()}}speak(e){e!==this.#i&&(this.#i=e,this.#e.size&&(this.#r?.().catch(()=>{}),this.#o()))}retry(){this.#n&&this.#o()}#o;#l(){this.#s++,this.connection.removeEventListener("ready",this.#o),this.#r?.().catch(()=>{}),this.#r=void 0,this.state=Me}#d(e){this.#t={...this.#t,...e};let s=this.#t;this.#a(s.set_up?{is:"ready",overview:s}:Et)}#a(e){this.state=e;for(let s of this.#e)s()}},Rt=new WeakMap;function me(t){let e=Rt.get(t);return e||Rt.set(t,e=new De(t)),e}var he=class{constructor(e){this.host=e;e.addController(this)}#e;#t;#s=!1;get state(){return this.#e?me(this.#e).state:Me}hostConnected(){this.hostUpdate()}hostUpdate(){let e=this.host.hass;if(!e||!this.host.isConnected)return;me(e.connection).speak(e.language),(!this.#t||this.#e!==e.connection)&&(this.#t?.(),this.#e=e.connection,this.#t=me(e.connection).join(()=>this.host.requestUpdate()));let s=e.config.components.includes(is);s&&!this.#s&&me(e.connection).retry(),this.#s=s}hostDisconnected(){this.#t?.(),this.#t=void 0}};var ns={unhealthy:{symbol:"close-circle",tone:"bad",rank:0},degraded:{symbol:"alert",tone:"warn",rank:1},healthy:{symbol:"check-circle",tone:"good",rank:2}},rs={symbol:"clock-alert-outline",tone:"warn",rank:1},os={symbol:"minus-circle-outline",tone:"quiet",rank:3},as={symbol:"help-circle-outline",tone:"quiet",rank:2};function kt(t,e){let s=e.providers.map(r=>({provider:r,look:ls(r)})).sort((r,o)=>r.look.rank-o.look.rank),i=s.filter(({look:r})=>r.rank<2).length,n=e.all?s:s.slice(0,e.most);return u`<section class="providers">
    <div class="head">
      <h3>${l(t,"providers")}</h3>
      <span class="small quiet">
        ${i?ne(t,"need_attention",i,$(t,i)):l(t,"all_well")}
      </span>
    </div>
    <div class="row columns small quiet" aria-hidden="true">
      <span></span><span>${l(t,"latency")}</span><span>${l(t,"rate")}</span>
      <span>${l(t,"today")}</span><span>${l(t,"this_month")}</span>
    </div>
    <ul id="providers">
      ${te(n,({provider:r})=>r.id,({provider:r,look:o})=>u`<li class="row" data-provider=${r.id}>
          ${C(o.symbol,o.tone)}
          <div class="who">${ds(t,r,e)} ${cs(t,r)}</div>
          ${r.waiting?p:us(t,r,e.currency)}
        </li>`)}
    </ul>
    ${s.length>e.most?u`<button class="more" aria-expanded=${e.all} aria-controls="providers" @click=${e.toggle}>
          ${e.all?l(t,"show_fewer"):l(t,"show_all",{count:$(t,s.length)})}
        </button>`:p}
  </section>`}function ls(t){return t.waiting?rs:t.enabled?ns[t.health]??as:os}function ds(t,e,s){let{entity:i}=e,n=!e.waiting&&e.local?u`<ha-icon class="quiet local" icon="mdi:home-outline" title=${l(t,"local")}></ha-icon
          ><span class="hidden">${l(t,"local")}</span>`:p;return i?u`<div class="line">
    <button
      class="link"
      aria-label=${l(t,"details_of",{name:e.name})}
      @click=${()=>s.details(i)}
    >
      ${z(e.name)}</button
    >${n}
  </div>`:u`<div class="line">${z(e.name)}${n}</div>`}function cs(t,e){if(e.waiting)return u`<div class="small quiet">${l(t,"waiting")}</div>`;let s=e.breaker!=="closed",i=[e.enabled?e.health==="unknown"?l(t,"not_used"):_t(t,e.health):l(t,"disabled"),...e.reason?[oe(t,e.reason)]:[],...de(e.budgets).length?[l(t,"own_budget_used")]:[]];return u`<div class="small quiet">
    <span class="hidden">${l(t,"health")}: </span>${i.join(" · ")}
    <span class=${s?"chip":"hidden"}>
      ${l(t,"breaker")}: ${vt(t,e.breaker)}
    </span>
  </div>`}function us(t,e,s){let{latency:i,requests_per_minute:n,requests_limit:r}=e,o=$(t,n),c=r===null?o:l(t,"rate_of",{used:o,limit:$(t,r)});return u`
    <div class="value latency">
      <span class="hidden">${l(t,"latency")}</span>
      <span class="number">${i===null?"–":ie(t,i)}</span>
    </div>
    <div class="value rate">
      <span class="hidden">${l(t,"rate")}</span>
      <span class="number">${c}</span>
      ${r===null?p:le(t,l(t,"rate"),ae(n,r))}
    </div>
    <div class="value today">
      <span class="hidden">${l(t,"today")}</span>
      <span class="number">${A(t,e.today,s)}</span>
    </div>
    <div class="value month">
      <span class="hidden">${l(t,"this_month")}</span>
      <span class="number">${A(t,e.month,s)}</span>
    </div>
  `}var Pt=v`
  .providers .row {
    display: grid;
    grid-template-columns: 18px repeat(4, minmax(0, 1fr));
    gap: 2px var(--ha-space-3, 12px);
    align-items: start;
    padding: var(--ha-space-2, 8px) 0;
    border-top: 1px solid var(--line);
  }
  .providers .columns {
    border: none;
    padding: var(--ha-space-1, 4px) 0;
  }
  .columns > * {
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
  }
  .columns > :first-child {
    grid-column: 1;
  }
  .who {
    grid-column: 2 / -1;
    display: flex;
    flex-wrap: wrap;
    align-items: baseline;
    gap: 0 var(--ha-space-2, 8px);
    min-width: 0;
  }
  .row > .value.latency {
    grid-column: 2;
  }
  .line {
    display: flex;
    align-items: center;
    gap: var(--ha-space-1, 4px);
    min-width: 0;
  }
  .line .local {
    --mdc-icon-size: 14px;
  }
  .name {
    display: block;
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
    min-width: 0;
  }
  .link {
    display: block;
    min-width: 0;
    max-width: 100%;
    padding: 0;
    border-radius: var(--ha-border-radius-sm, 4px);
    color: inherit;
    font-weight: var(--strong);
    text-align: start;
  }
  .link:hover {
    background: none;
    text-decoration: underline;
  }
  .chip {
    display: inline-block;
    padding: 0 var(--ha-space-2, 8px);
    border-radius: var(--ha-border-radius-pill, 9999px);
    background: color-mix(in srgb, var(--bad) 15%, transparent);
    color: var(--primary-text-color);
  }
  .value {
    min-width: 0;
  }
  .value .meter {
    height: 3px;
    margin-top: 2px;
  }
  .more {
    display: block;
    width: 100%;
  }
  @container card (min-width: 440px) {
    .providers .row {
      grid-template-columns: 18px minmax(0, 1fr) 60px 66px 62px 72px;
    }
    .columns,
    .value {
      text-align: end;
    }
    .columns > :first-child {
      grid-column: 1 / 3;
    }
    .who {
      grid-column: 2;
      display: block;
    }
    .row > .value.latency {
      grid-column: 3;
    }
  }
`;var ps={day:"today",week:"this_week",month:"this_month",total:"in_all"};function Ht(t,e){let s=n=>e.budgets.find(r=>r.window===n),i=e.budgets.filter(n=>n.window==="week"||n.window==="total");return u`<section class="spend" aria-label=${l(t,"edit_spend")}>
    <div class="tiles">
      ${Ie(t,e,"day",e.today,s("day"))}
      ${Ie(t,e,"month",e.month,s("month"))}
      ${i.map(n=>Ie(t,e,n.window,n.spent,n))}
    </div>
    ${de(e.budgets).map(n=>ms(t,n))}
  </section>`}function Ie(t,{currency:e,projected:s},i,n,r){let o=r&&ae(Number(r.spent),Number(r.limit));return u`<div class="tile" data-window=${i}>
    <div class="quiet">${l(t,ps[i])}</div>
    <div class="amount number">${A(t,n,e)}</div>
    ${r&&o!==void 0?u`${le(t,l(t,"budget_used"),o)}
          <div class="small quiet">
            ${l(t,"of_budget",{share:se(t,o),limit:A(t,r.limit,e)})}
          </div>`:u`<div class="small quiet">${l(t,"no_budget")}</div>`}
    ${i==="month"&&Number(s)?u`<div class="small quiet projection">
          ${l(t,"projection",{amount:A(t,s,e)})}
        </div>`:p}
  </div>`}function ms(t,e){let s=e.hard?e.free_at===null?l(t,"over_hard"):l(t,"over_hard_until",{when:Re(t,e.free_at)}):l(t,"over_soft");return u`<div class="notice ${e.hard?"bad":"warn"}" role="status">
    ${C("wallet-outline",e.hard?"bad":"warn")}
    <div><strong>${$t(t,e)}</strong><br />${s}</div>
  </div>`}var Nt=v`
  .tiles {
    display: grid;
    grid-template-columns: repeat(auto-fit, minmax(min(130px, 100%), 1fr));
    gap: var(--ha-space-4, 16px);
  }
  .amount {
    font-size: var(--large);
    line-height: 1.3;
  }
  .tile .meter {
    margin: var(--ha-space-1, 4px) 0;
  }
`;var Ot=v`
  :host {
    display: block;
    height: 100%;
    --good: var(--success-color, #43a047);
    --warn: var(--warning-color, #ffa600);
    --bad: var(--error-color, #db4437);
    --quiet: var(--secondary-text-color, #727272);
    --line: var(--divider-color, rgba(0, 0, 0, 0.12));
    --small: var(--ha-font-size-s, 12px);
    --normal: var(--ha-font-size-m, 14px);
    --large: var(--ha-font-size-2xl, 24px);
    --strong: var(--ha-font-weight-medium, 500);
  }
  ha-card {
    height: 100%;
    box-sizing: border-box;
    display: flex;
    flex-direction: column;
    overflow: hidden;
    color: var(--primary-text-color);
    font-size: var(--normal);
    line-height: 1.4;
  }
  .body {
    container: card / inline-size;
    flex: 1;
    min-height: 0;
    overflow-y: auto;
    padding: var(--ha-space-4, 16px);
  }
  h2,
  h3,
  p,
  ul {
    margin: 0;
    padding: 0;
    font-weight: inherit;
    font-size: inherit;
  }
  ul {
    list-style: none;
  }
  section + section {
    margin-top: var(--ha-space-5, 20px);
  }
  .head {
    display: flex;
    flex-wrap: wrap;
    align-items: baseline;
    justify-content: space-between;
    gap: 0 var(--ha-space-3, 12px);
  }
  h2 {
    font-size: var(--ha-font-size-xl, 20px);
    overflow-wrap: anywhere;
  }
  h3 {
    font-weight: var(--strong);
  }
  .quiet {
    color: var(--quiet);
  }
  .small {
    font-size: var(--small);
  }
  .number {
    font-variant-numeric: tabular-nums;
    white-space: nowrap;
  }
  .hidden {
    position: absolute;
    width: 1px;
    height: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
  .good {
    color: var(--good);
  }
  .warn {
    color: var(--warn);
  }
  .bad {
    color: var(--bad);
  }
  ha-icon {
    --mdc-icon-size: 18px;
    flex: none;
    display: inline-flex;
  }
  .meter {
    height: 6px;
    border-radius: 3px;
    overflow: hidden;
    background: var(--line);
  }
  .meter > span {
    display: block;
    height: 100%;
    border-radius: inherit;
    background: var(--primary-color);
    transition: width 0.4s;
  }
  .meter.warn > span {
    background: var(--warn);
  }
  .meter.bad > span {
    background: var(--bad);
  }
  button,
  .button {
    font: inherit;
    color: var(--primary-color);
    background: none;
    border: none;
    border-radius: var(--ha-border-radius-md, 8px);
    padding: var(--ha-space-2, 8px) var(--ha-space-3, 12px);
    cursor: pointer;
    text-decoration: none;
    font-weight: var(--strong);
  }
  button:hover,
  .button:hover {
    background: color-mix(in srgb, var(--primary-color) 10%, transparent);
  }
  :focus-visible {
    outline: 2px solid var(--primary-color);
    outline-offset: 1px;
  }
  .notice {
    display: flex;
    gap: var(--ha-space-3, 12px);
    padding: var(--ha-space-3, 12px);
    margin-top: var(--ha-space-4, 16px);
    border-radius: var(--ha-border-radius-md, 8px);
    background: color-mix(in srgb, currentColor 12%, transparent);
  }
  .notice > div {
    color: var(--primary-text-color);
  }
  .notice strong {
    font-weight: var(--strong);
  }
  .empty {
    display: flex;
    flex-direction: column;
    align-items: center;
    gap: var(--ha-space-2, 8px);
    padding: var(--ha-space-6, 24px) var(--ha-space-4, 16px);
    text-align: center;
  }
  .empty ha-icon {
    --mdc-icon-size: 40px;
    color: var(--quiet);
  }
  @media (prefers-reduced-motion: reduce) {
    * {
      transition: none !important;
      animation: none !important;
    }
  }
`;var fe=class extends S{static{this.properties={hass:{attribute:!1},_config:{state:!0},_all:{state:!0}}}#e=new he(this);constructor(){super(),this._all=!1}static getConfigForm(){return Ct()}static getStubConfig(){return{}}setConfig(e){Ue(e),this._config=e}getCardSize(){let e=this._config?.max_providers??ce,s=this._config?.max_answers??ue,i={spend:3,providers:1+e,answers:1+s};return 1+pe(this._config).reduce((n,r)=>n+i[r],0)}getGridOptions(){return{columns:12,min_columns:6,rows:"auto",min_rows:3}}render(){let{hass:e,_config:s}=this;return!e||!s?p:u`<ha-card><div class="body">${this.#t(e,s)}</div></ha-card>`}#t(e,s){let i=this.#e.state;switch(i.is){case"loading":return u`${this.#s(e,s)}
          <div class="loading" role="status" aria-busy="true">
            <span class="hidden">${l(e,"loading")}</span>
            ${pe(s).map(()=>u`<div class="bone"></div>`)}
          </div>`;case"not_set_up":return u`${this.#s(e,s)}
        ${Ne(e,"not_set_up","not_set_up_admin","not_set_up_user","router-wireless-off")}`;case"ready":return u`${this.#s(e,s,i.overview)} ${this.#i(e,s,i.overview)}`}}#s(e,s,i){let n=i?.activity,r=[];return n&&(r.push(ne(e,"requests",n.requests_today,$(e,n.requests_today))),n.under_way&&r.push(l(e,"under_way",{count:$(e,n.under_way)}))),u`<div class="head top">
      <h2>${s.title||l(e,"card_name")}</h2>
      <span class="small quiet">${r.join(" · ")}</span>
    </div>`}#i(e,s,i){let{spend:n,providers:r,requests:o}=i,c=a=>pe(s).includes(a);return!r.length&&(c("providers")||!o.length)?Ne(e,"no_provider","no_provider_admin","no_provider_user","server-plus"):u`
      ${n&&c("spend")?Ht(e,n):p}
      ${c("providers")?kt(e,{providers:r,currency:n?.currency??"USD",most:s.max_providers??ce,all:this._all,toggle:()=>this._all=!this._all,details:a=>this.#n("hass-more-info",{entityId:a})}):p}
      ${c("answers")?yt(e,o,s.max_answers??ue):p}
    `}#n(e,s){this.dispatchEvent(new CustomEvent(e,{detail:s,bubbles:!0,composed:!0}))}static{this.styles=[Ot,Nt,Pt,wt,v`
      .top {
        margin-bottom: var(--ha-space-3, 12px);
      }
      .bone {
        height: 56px;
        margin-top: var(--ha-space-3, 12px);
        border-radius: var(--ha-border-radius-md, 8px);
        background: var(--line);
        animation: breathe 1.6s ease-in-out infinite alternate;
      }
      @keyframes breathe {
        to {
          opacity: 0.4;
        }
      }
    `]}};customElements.get("ai-router-card")||(customElements.define("ai-router-card",fe),(window.customCards??=[]).push({type:"ai-router-card",get name(){return B("card_name")},get description(){return B("card_description")},preview:!0,getEntitySuggestion:(t,e)=>t.entities[e]?.platform==="ai_router"?{config:{type:"custom:ai-router-card"}}:null,documentationURL:"https://github.com/example/ai-router"}));
/*! Bundled license information:

@lit/reactive-element/css-tag.js:
  (**
   * @license
   * Copyright 2019 Google LLC
   * SPDX-License-Identifier: BSD-3-Clause
   *)

@lit/reactive-element/reactive-element.js:
lit-html/lit-html.js:
lit-element/lit-element.js:
lit-html/directive.js:
lit-html/directives/repeat.js:
  (**
   * @license
   * Copyright 2017 Google LLC
   * SPDX-License-Identifier: BSD-3-Clause
   *)

lit-html/is-server.js:
  (**
   * @license
   * Copyright 2022 Google LLC
   * SPDX-License-Identifier: BSD-3-Clause
   *)

lit-html/directive-helpers.js:
  (**
   * @license
   * Copyright 2020 Google LLC
   * SPDX-License-Identifier: BSD-3-Clause
   *)
*/
